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
      row.dataset.matches = matches ? "yes" : "no";
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

  /* As wide as it is shown, so that letters keep their size on a phone. */
  const room = () => Math.max(280, Math.min(700, byId("customer-body").clientWidth || 640));

  /* From the average customer to this one: every step moves the log-odds, the axis tells chances. */
  const chance = (logOdds) => 1 / (1 + Math.exp(-logOdds));
  const said = (logOdds) => {
    const p = 100 * chance(logOdds);
    return `${p.toFixed(p > 99 || p < 1 ? 1 : 0)} %`;
  };
  const signed = (v) => {
    const text = Math.abs(v).toFixed(1);
    return `${text === "0.0" ? "" : v > 0 ? "+" : "−"}${text}`;
  };
  function waterfall(customer) {
    const steps = customer.reasons.map(([words, weight]) => [words, weight]);
    if (customer.others[0]) steps.push([`${customer.others[0]} other drivers together`, customer.others[1]]);
    const raw = customer.base + steps.reduce((sum, [, weight]) => sum + weight, 0);
    if (Math.abs(customer.end - raw) > 0.005) steps.push(["the simpler model beside it, calibration and level", customer.end - raw]);
    /* All steps grow together from the average to the customer (Aumann and Shapley): points that add up. */
    const way = customer.end - customer.base;
    const slope = chance(customer.base) * (1 - chance(customer.base));
    const points = 100 * (Math.abs(way) < 1e-6 ? slope : (chance(customer.end) - chance(customer.base)) / way);
    const stops = [customer.base];
    for (const [, weight] of steps) stops.push(stops.at(-1) + weight);
    const low = Math.min(...stops) - 0.15;
    const high = Math.max(...stops) + 0.15;
    const at = (v) => `${((100 * (v - low)) / (high - low)).toFixed(2)}%`;
    const ticks = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]
      .map((p) => [p, Math.log(p / (1 - p))])
      .filter(([, v]) => v > low && v < high)
      .reduce((kept, tick) => {
        const apart = room() < 420 ? 0.4 : 0.14;
        return kept.length && (tick[1] - kept.at(-1)[1]) / (high - low) < apart ? kept : [...kept, tick];
      }, []);
    const lines = () =>
      ticks.map(([, v]) => {
        const line = el("i", { class: "tickline" });
        line.style.left = at(v);
        return line;
      });
    const cell = (from, to, kind) => {
      const bar = el("span", { class: `push ${kind}` });
      bar.style.left = at(Math.min(from, to));
      bar.style.width = `${((100 * Math.abs(to - from)) / (high - low)).toFixed(2)}%`;
      return el("td", { class: "pushes", "aria-hidden": "true" }, ...lines(), bar);
    };
    const row = (words, shown, ...cells) => el("tr", {}, el("th", { scope: "row" }, words), ...cells, el("td", { class: "number" }, shown));
    const end = (v) => cell(v - (high - low) / 250, v + (high - low) / 250, "end");
    const body = [row("The average customer", said(customer.base), end(customer.base))];
    steps.forEach(([words, weight], i) => body.push(row(words, signed(points * weight), cell(stops[i], stops[i + 1], weight > 0 ? "up" : "down"))));
    body.push(row(`Customer ${customer.id}`, said(customer.end), end(customer.end)));
    body.at(-1).className = "total";
    const scale = el("th", { class: "pushes", "aria-hidden": "true" });
    for (const [p, v] of ticks) {
      const tick = el("span", {}, `${100 * p} %`);
      tick.style.left = at(v);
      scale.append(tick);
    }
    const head = el("tr", {}, el("th", { scope: "col" }, "What"), scale, el("th", { scope: "col", class: "number" }, "Points"));
    const caption = el("caption", { class: "only-read" }, "From the average customer to this one, in percentage points");
    return el("table", { class: "small reasons" }, caption, el("thead", {}, head), el("tbody", {}, ...body));
  }

  const DAY = 86400000;
  const time = (iso) => Date.parse(`${iso}T00:00:00Z`);
  const iso = (t) => new Date(t).toISOString().slice(0, 10);

  /* Years, quarters or months: as many marks as there is room for. */
  function dates(first, last, most) {
    const days = (last - first) / DAY;
    const step = [1, 2, 3, 6, 12, 24, 60].find((months) => days / (30.4 * months) <= most) || 120;
    const from = new Date(first);
    const marks = [];
    for (let month = 12 * from.getUTCFullYear() + from.getUTCMonth() + 1; ; month += 1) {
      const t = Date.UTC(Math.floor(month / 12), month % 12, 1);
      if (t > last) return marks;
      if (month % step === 0) marks.push([t, step >= 12 ? iso(t).slice(0, 4) : iso(t).slice(0, 7)]);
    }
  }

  function timeline(customer) {
    const width = room();
    const lanes = customer.did;
    const [left, right, top, tall] = [lanes.length ? Math.min(150, width * 0.32) : 44, 14, 16, 120];
    const base = top + tall;
    const height = base + 18 * lanes.length + 26;
    const last = time(root.dataset.asOf);
    const first = Math.min(last - 120 * DAY, ...customer.orders.map(([when]) => time(when)), ...lanes.map(([, days]) => DAY * days[0]));
    const most = Math.max(...customer.orders.map(([, paid]) => paid), 1e-9);
    const x = (t) => (left + 4 + ((t - first) / (last - first)) * (width - left - right - 4)).toFixed(1);
    const shapes = [];
    for (const [t, text] of dates(first, last, (width - left) / 90)) {
      shapes.push(svg("line", { class: "grid", x1: x(t), x2: x(t), y1: top, y2: height - 22 }));
      shapes.push(svg("text", { class: "tick middle", x: x(t), y: height - 6 }, text));
    }
    shapes.push(svg("line", { class: "axis", x1: left, x2: width - right, y1: base, y2: base }));
    shapes.push(svg("text", { class: "tick end", x: left - 6, y: top + 10 }, most.toLocaleString("en", { maximumFractionDigits: 0 })));
    shapes.push(svg("text", { class: "tick end", x: left - 6, y: base }, lanes.length ? "orders" : "0"));
    for (const [when, paid] of customer.orders) {
      const y = (base - 4 - (Math.max(paid, 0) / most) * (tall - 10)).toFixed(1);
      const at = x(time(when));
      shapes.push(svg("line", { class: "stem", x1: at, x2: at, y1: base, y2: y }));
      shapes.push(svg("circle", { class: "dot s1", cx: at, cy: y, r: 3 }, svg("title", {}, `${when}: ${paid.toLocaleString("en")}`)));
    }
    lanes.forEach(([words, days], lane) => {
      const y = base + 18 * (lane + 1);
      shapes.push(svg("text", { class: "tick end", x: left - 6, y: y + 4 }, words.length > 20 ? `${words.slice(0, 19)}…` : words));
      for (const day of days) {
        shapes.push(svg("circle", { class: "dot s3", cx: x(DAY * day), cy: y, r: 2.6 }, svg("title", {}, `${iso(DAY * day)}: ${words}`)));
      }
    });
    const others = lanes.map(([words, days]) => `${words} on ${days.length} day${days.length > 1 ? "s" : ""}, last ${iso(DAY * days.at(-1))}`);
    const bought = customer.orders.length ? `${customer.orders.length} order${customer.orders.length > 1 ? "s" : ""} from ${customer.orders[0][0]} to ${customer.orders.at(-1)[0]}` : "no orders";
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": [bought, ...others].join("; ") }, ...shapes);
  }

  function past(customer) {
    const width = room();
    const [height, left, bottom, top] = [150, 44, 24, 8];
    const points = customer.past.map(([when, p]) => [when, p]).concat([[root.dataset.asOf, customer.p]]);
    const first = time(points[0][0]);
    const last = Math.max(time(root.dataset.asOf), first + DAY);
    const x = (t) => (left + 8 + ((t - first) / (last - first)) * (width - left - 24)).toFixed(1);
    const y = (p) => (top + (1 - p) * (height - bottom - top)).toFixed(1);
    const shapes = [];
    for (const p of [0, 0.5, 1]) {
      shapes.push(svg("line", { class: p ? "grid" : "axis", x1: left, x2: width - 6, y1: y(p), y2: y(p) }));
      shapes.push(svg("text", { class: "tick end", x: left - 6, y: Number(y(p)) + 4 }, `${100 * p} %`));
    }
    const known = points.filter(([, p]) => p !== null);
    shapes.push(svg("path", { class: "line s1", d: "M" + known.map(([when, p]) => `${x(time(when))},${y(p)}`).join("L") }));
    for (const [when, p] of known) {
      shapes.push(svg("circle", { class: "dot s1", cx: x(time(when)), cy: y(p), r: 3.2 }, svg("title", {}, `${when}: ${(100 * p).toFixed(0)} %`)));
    }
    shapes.push(
      svg("text", { class: "tick", x: left, y: height - 6 }, points[0][0]),
      svg("text", { class: "tick end", x: width - 6, y: height - 6 }, root.dataset.asOf),
    );
    const words = `Chance of leaving: ${known.map(([when, p]) => `${when} ${(100 * p).toFixed(0)} %`).join(", ")}`;
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words }, ...shapes);
  }

  function part(title, text, ...content) {
    const section = el("section", {}, el("h3", {}, title));
    if (text) section.append(el("p", { class: "quiet" }, text));
    section.append(...content);
    return section;
  }

  const address = "#customer=";
  let current = -1;
  function fill(position) {
    current = position;
    const customer = data[position];
    byId("customer-name").replaceChildren(`Customer ${customer.id} `, el("span", { class: `band-${customer.band}` }, `${customer.band} risk`));
    const body = [part("What the model expects", "", facts(customer.facts))];
    if (customer.reasons.length) {
      body.push(part("Why", "From the average customer's chance of leaving to this one's; red bars raise it, green ones lower it. Points are percentage points of the chance and add up. The last step is what the simpler model beside it says (of the rhythm of orders, or of the time subscribed), and the calibration of both.", waterfall(customer)));
    }
    if (customer.orders.length || customer.did.length) {
      const what = customer.did.length ? "Each stem is an order, its height the amount; below, what else happened." : "Each stem is an order, its height the amount.";
      body.push(part("Timeline", what, timeline(customer)));
    }
    if (customer.past.some(([, p]) => p !== null)) body.push(part("Chance of leaving at earlier dates", "As today's model would have said with what was known then.", past(customer)));
    body.push(part("What the formulas say", "", facts(customer.formulas)));
    byId("customer-body").replaceChildren(...body);
    dialog.scrollTop = 0;
  }
  function openCustomer(position) {
    dialog.showModal();
    fill(position);
    history.replaceState(null, "", address + encodeURIComponent(data[position].id));
  }
  /* To the neighbour in the table as it is sorted and filtered, shown or not. */
  function move(step) {
    const listed = [...customers.tBodies[0].rows].filter((row) => row.dataset.matches === "yes").map((row) => Number(row.querySelector("button.open").dataset.position));
    const next = listed[listed.indexOf(current) + step];
    if (next === undefined) return;
    fill(next);
    history.replaceState(null, "", address + encodeURIComponent(data[next].id));
  }
  byId("previous").addEventListener("click", () => move(-1));
  byId("next").addEventListener("click", () => move(1));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") move(-1);
    if (event.key === "ArrowRight") move(1);
  });
  dialog.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
  customers.addEventListener("click", (event) => {
    const button = event.target.closest("button.open");
    if (button) openCustomer(Number(button.dataset.position));
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  /* An address that ends in #customer=15749 opens that customer. */
  function follow() {
    if (!location.hash.startsWith(address)) return;
    let wanted = location.hash.slice(address.length);
    try {
      wanted = decodeURIComponent(wanted);
    } catch {
      return;
    }
    const position = data.findIndex((customer) => customer.id === wanted);
    if (position >= 0 && !dialog.open) openCustomer(position);
  }
  window.addEventListener("hashchange", follow);
  follow();
})();
