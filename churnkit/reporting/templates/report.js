"use strict";
(() => {
  const PAGE = 25;
  const SVG = "http://www.w3.org/2000/svg";
  const byId = (id) => document.getElementById(id);

  /* Everything from the data goes in as text or as an attribute, never as markup. */
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  function svg(tag, attributes = {}, ...children) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  /* Light or dark: the system's choice until the button is pressed. */
  const root = document.documentElement;
  const themeButton = byId("theme");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const tellTheme = () => {
    themeButton.setAttribute("aria-pressed", String(isDark()));
  };
  themeButton.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    tellTheme();
  });
  system.addEventListener("change", tellTheme);
  tellTheme();

  /* Tables whose headings hold buttons sort by them. */
  const collator = new Intl.Collator("en", { numeric: true });
  function sortable(table, after) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      heading.querySelector("button").addEventListener("click", () => {
        const first = heading.dataset.kind === "number" ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        const order = heading.getAttribute("aria-sort") === first ? other : first;
        headings.forEach((h) => h.removeAttribute("aria-sort"));
        heading.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const numeric = heading.dataset.kind === "number";
        const key = (row) => row.cells[column].dataset.sort;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => sign * (numeric ? Number(key(a)) - Number(key(b)) : collator.compare(key(a), key(b))));
        table.tBodies[0].append(...rows);
        after();
      });
    });
  }
  document.querySelectorAll("table.sortable").forEach((table) => sortable(table, () => {}));

  /* The customers: filters, and 25 rows at a time. */
  const customers = byId("customers");
  const find = byId("find");
  const byBand = byId("by-band");
  const bySegment = byId("by-segment");
  const more = byId("more");
  let limit = PAGE;

  function show() {
    const wanted = find.value.trim().toLowerCase();
    let matching = 0;
    let visible = 0;
    for (const row of customers.tBodies[0].rows) {
      const matches =
        (!byBand.value || row.dataset.band === byBand.value) &&
        (!bySegment.value || row.dataset.segment === bySegment.value) &&
        (!wanted || row.textContent.toLowerCase().includes(wanted));
      if (matches) matching += 1;
      row.hidden = !(matches && matching <= limit);
      if (!row.hidden) visible += 1;
    }
    byId("shown").textContent = `${visible} of ${matching} shown`;
    more.hidden = matching <= limit;
  }
  const fresh = () => {
    limit = PAGE;
    show();
  };
  find.addEventListener("input", fresh);
  byBand.addEventListener("change", fresh);
  bySegment.addEventListener("change", fresh);
  more.addEventListener("click", () => {
    limit += PAGE;
    show();
  });
  sortable(customers, fresh);
  show();

  /* One customer. */
  const data = JSON.parse(byId("customer-data").textContent);
  const dialog = byId("customer");

  function facts(pairs) {
    return el("dl", { class: "facts" }, ...pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  function reasons(customer) {
    const rows = customer.reasons.map(([words, weight]) => [words, weight]);
    if (customer.others[0]) rows.push([`${customer.others[0]} other features together`, customer.others[1]]);
    const reach = Math.max(...rows.map(([, weight]) => Math.abs(weight)), 1e-9);
    const body = rows.map(([words, weight]) => {
      const bar = el("span", { class: weight > 0 ? "push up" : "push down" });
      bar.style.setProperty("--part", `${(50 * Math.abs(weight)) / reach}%`);
      const sign = weight > 0 ? "+" : weight < 0 ? "−" : "";
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, words),
        el("td", { class: "pushes", "aria-hidden": "true" }, bar),
        el("td", { class: "number" }, `${sign}${Math.abs(weight).toFixed(2)}`),
      );
    });
    const head = el("tr", {}, el("th", { scope: "col" }, "What"), el("th", { scope: "col" }, "keeps · drives away"), el("th", { scope: "col", class: "number" }, "Log-odds"));
    return el("table", { class: "small reasons" }, el("thead", {}, head), el("tbody", {}, ...body));
  }

  const time = (iso) => Date.parse(`${iso}T00:00:00Z`);

  function timeline(customer) {
    const [width, height, left, bottom] = [640, 150, 10, 24];
    const first = time(customer.orders[0][0]);
    const last = Math.max(time(root.dataset.asOf), first + 86400000);
    const top = Math.max(...customer.orders.map(([, paid]) => paid), 1e-9);
    const x = (t) => left + ((t - first) / (last - first)) * (width - 2 * left);
    const base = height - bottom;
    const shapes = [svg("line", { class: "axis", x1: left, x2: width - left, y1: base, y2: base })];
    for (const [when, paid] of customer.orders) {
      const y = base - 6 - (paid / top) * (base - 16);
      const at = x(time(when));
      const stem = svg("line", { class: "stem", x1: at, x2: at, y1: base, y2: y });
      const dot = svg("circle", { class: "dot s1", cx: at, cy: y, r: 3 }, svg("title", {}, `${when}: ${paid.toLocaleString("en")}`));
      shapes.push(stem, dot);
    }
    shapes.push(
      svg("text", { class: "tick", x: left, y: height - 6 }, customer.orders[0][0]),
      svg("text", { class: "tick end", x: width - left, y: height - 6 }, root.dataset.asOf),
    );
    const says = `${customer.orders.length} orders from ${customer.orders[0][0]} to ${customer.orders.at(-1)[0]}`;
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": says }, ...shapes);
  }

  function past(customer) {
    const [width, height, left, bottom, top] = [640, 150, 44, 24, 8];
    const points = customer.past.map(([when, p]) => [when, p]).concat([[root.dataset.asOf, customer.p]]);
    const first = time(points[0][0]);
    const last = Math.max(time(root.dataset.asOf), first + 86400000);
    const x = (t) => left + 8 + ((t - first) / (last - first)) * (width - left - 24);
    const y = (p) => top + (1 - p) * (height - bottom - top);
    const shapes = [];
    for (const p of [0, 0.5, 1]) {
      shapes.push(svg("line", { class: p ? "grid" : "axis", x1: left, x2: width - 6, y1: y(p), y2: y(p) }));
      shapes.push(svg("text", { class: "tick end", x: left - 6, y: y(p) + 4 }, `${100 * p} %`));
    }
    const known = points.filter(([, p]) => p !== null);
    shapes.push(svg("path", { class: "line s1", d: "M" + known.map(([when, p]) => `${x(time(when)).toFixed(1)},${y(p).toFixed(1)}`).join("L") }));
    for (const [when, p] of known) {
      shapes.push(svg("circle", { class: "dot s1", cx: x(time(when)), cy: y(p), r: 3.2 }, svg("title", {}, `${when}: ${(100 * p).toFixed(0)} %`)));
    }
    shapes.push(
      svg("text", { class: "tick", x: left, y: height - 6 }, points[0][0]),
      svg("text", { class: "tick end", x: width - 6, y: height - 6 }, root.dataset.asOf),
    );
    const says = `Chance of leaving: ${known.map(([when, p]) => `${when} ${(100 * p).toFixed(0)} %`).join(", ")}`;
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": says }, ...shapes);
  }

  function part(title, text, ...content) {
    const section = el("section", {}, el("h3", {}, title));
    if (text) section.append(el("p", { class: "quiet" }, text));
    section.append(...content);
    return section;
  }

  function openCustomer(position) {
    const customer = data[position];
    byId("customer-name").replaceChildren(`Customer ${customer.id} `, el("span", { class: `band-${customer.band}` }, `${customer.band} risk`));
    const body = [part("What the model expects", "", facts(customer.facts))];
    if (customer.reasons.length) {
      body.push(part("Why", "What each feature adds to the model's log-odds of leaving (right), or takes away (left).", reasons(customer)));
    }
    if (customer.orders.length) body.push(part("Orders", "Each stem is an order, its height the amount.", timeline(customer)));
    if (customer.past.length) body.push(part("Chance of leaving at earlier dates", "As today's model would have said with what was known then.", past(customer)));
    body.push(part("What the formulas say", "", facts(customer.formulas)));
    byId("customer-body").replaceChildren(...body);
    dialog.showModal();
    dialog.scrollTop = 0;
  }
  customers.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) openCustomer(Number(button.dataset.position));
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
})();
