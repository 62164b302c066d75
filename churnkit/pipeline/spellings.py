"""What data files call the columns of each table, in English and a few other languages."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["SPELLINGS", "called", "forms", "plain"]

# Said of an amount or a time after its name; alone they are the name itself.
UNITS = frozenset(
    {
        *("eur", "euro", "euros", "usd", "gbp", "chf", "sek", "nok", "dkk", "pln", "cad", "aud"),
        *(
            "incl",
            "excl",
            "inc",
            "exc",
            "including",
            "excluding",
            "vat",
            "tax",
            "mwst",
            "ust",
            "tva",
        ),
        *("iva", "ht", "ttc", "net", "netto", "gross", "brutto", "utc", "gmt", "local"),
    }
)


def plain(column: str) -> str:
    """Return the name of a column in lower case, without accents, blanks and other marks.

    Examples
    --------
    >>> plain("Quantité (pcs.)"), plain("N° client")
    ('quantitepcs', 'noclient')
    """
    numbered = re.sub(r"\bn[°º]|#|№", "no", column.lower())
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKD", numbered))


def forms(column: str) -> list[str]:
    """Return what a column may be called: its plain name, and that without brackets and units.

    Examples
    --------
    >>> forms("MRR (USD)"), forms("Total incl. VAT"), forms("net")
    (['mrrusd', 'mrr'], ['totalinclvat', 'total'], ['net'])
    """
    words = re.split(r"[\W_]+", re.sub(r"\(.*?\)|\[.*?\]", "", column))
    kept = [word for word in words if word]
    while len(kept) > 1 and plain(kept[-1]) in UNITS:
        kept.pop()
    found = (plain(column), plain(re.sub(r"\(.*?\)|\[.*?\]", "", column)), plain("".join(kept)))
    return [name for name in dict.fromkeys(found) if name]


def called(columns: Sequence[str]) -> dict[str, str]:
    """Return the columns by all that they may be called; one that is called so in full comes first."""
    by_name: dict[str, str] = {}
    for nth in range(3):
        for column in columns:
            names = forms(column)
            if nth < len(names):
                by_name.setdefault(names[nth], column)
    return by_name


def _joined(stems: str, endings: str) -> tuple[str, ...]:
    """Return every stem with every ending, by stem."""
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


BUYERS = (
    "customer cust client user member account buyer shopper household consumer visitor subscriber"
    " donor guest player contact person card kunden kunde cliente klant kund constituent supporter"
    " patron patient tenant company organisation organization business workspace policyholder"
    " cardholder passenger mitglied mitglieds abonnent abonnenten adherent abonne socio"
)
CUSTOMER = (
    "customerid",
    "customer",
    "customeruniqueid",
    *_joined(BUYERS, "id no nr number num key code uuid guid nummer unique hash ref"),
    *_joined("id no nr num numero cod codigo code", "client cliente adherent abonne socio klant"),
    *_joined("loyaltycard membershipcard loyalty membership", "id no number nr"),
    *("loyaltycard", "membershipcard", "subscriber", "donor", "constituent", "mitglied"),
    *("client", "user", "member", "account", "household", "email", "emailaddress", "cid", "uid"),
    *("kunde", "cliente", "klant", "kund"),
    "msno",
)
PRODUCT = (
    *("productid", "stockcode", "sku", "itemid", "productno", "itemno", "product", "item"),
    *("refarticle", "codearticle", "article", "reference", "ref"),
    *("articleid", "productcode", "upc", "artikelnummer", "artikel", "produit", "producto"),
)
DAY = ("datum", "fecha", "zeitstempel")
TIME = ("timestamp", "ts", "datetime", "date", "time", "createdat", "created", "createdutc", *DAY)
EVENT_TIME = ("eventtime", "eventtimestamp", "eventdate", "occurredat")
CONTRACT = "subscription membership contract plan"
GIVEN = "reward voucher coupon"
BOUGHT = (
    "order invoice purchase transaction sale payment basket receipt gift donation booking check"
)
# The surest first.
SPELLINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "orders": {
        "customer_id": CUSTOMER,
        "ts": (
            "timestamp", "ts", "orderdate", "invoicedate", "orderedat", "createdat", "purchasedate",
            "transactiondate", "purchasedat", "placedat", "paidat", "soldat", "saledate",
            "orderpurchasetimestamp", *_joined(BOUGHT, "timestamp datetime date time at on ts dt"),
            *_joined("bestell rechnungs kauf auftrags buchungs", "datum"),
            *_joined("date fecha data", "commande achat facture pedido compra venta ordine"),
            "datetime", "date", "time", "day", "created", "createdutc", "tdat", "closedat", "closed",
            "checkin", *DAY, *EVENT_TIME,
        ),
        "amount": (
            "amount", "revenue", "netamount", "total", "totalprice", "ordervalue", "orderamount",
            "ordertotal", "totalamount", "grandtotal", "linetotal", "subtotal", "sales",
            "salesamount", "salesvalue", "netsales", "turnover", "gmv", "amountpaid", "totalpaid",
            "actualamountpaid",
            *_joined(BOUGHT, "amount value total amt"), "amt", "spend", "value", "betrag",
            "umsatz", "summe", "gesamt", "montant", "importe", "monto", "importo", "unitprice",
            "itemprice", "priceperunit", "saleprice", "salesprice", "price", "preis", "prix",
            "precio", "prezzo", "preco", "prixunitaire", "preciounitario", "einzelpreis", "stuckpreis",
        ),
        "order_id": (
            "orderid", "invoice", "invoiceno", "invoiceid", "transactionid", "basketid",
            *_joined(BOUGHT, "id no nr number num key code"), "order",
            *_joined("bestell rechnungs auftrags beleg", "nummer nr"),
            *_joined("no num numero nr", "commande facture pedido factura"), "commande", "pedido",
        ),
        "product_id": PRODUCT,
        "quantity": ("quantity", "qty", "units", "pieces", "menge", "anzahl", "quantite", "qte", "cantidad"),
        "discount": ("discount", "discountamount"),
    },
    "events": {
        "customer_id": CUSTOMER,
        "ts": (*EVENT_TIME, *TIME),
        "event_type": ("eventtype", "eventname", "event", "action", "activity"),
        "channel": ("channel",),
        "campaign_id": ("campaignid", "campaign"),
        "session_id": ("sessionid", "session", "usersession", "visitid"),
        "product_id": PRODUCT,
        "value": ("value", "amount"),
    },
    "subscriptions": {
        "customer_id": CUSTOMER,
        "started_at": (
            "startedat", "startdate", "start", "starts", "createddate", "begin", "validfrom",
            "vertragsbeginn", "beginn", "startdatum", "datedebut", "fechainicio", "fechaalta",
            *_joined(CONTRACT, "start startdate startedat begin from since"),
        ),
        "ended_at": (
            "endedat", "enddate", "end", "canceledat", "cancelledat", "canceleddate",
            "cancelleddate", "canceldate", "cancellationdate", "terminationdate", "churndate",
            "canceledon", "cancelledon", "endedon", "terminatedat", "validto", "validuntil",
            "vertragsende", "ende", "enddatum", "datefin", "fechafin", "fechabaja",
            *_joined(CONTRACT, "end enddate endedat until to"),
        ),
        "mrr": (
            "mrr", "mrramount", "monthlyrevenue", "monthlyprice", "monthlyfee",
            "subscriptioncost", "monthlycharges", "monthlycharge", "monthlycost", "monthlyamount",
            "monthlyrecurringrevenue", *_joined("price fee amount cost", "permonth"),
            "monatsbeitrag", "monatspreis", "prixmensuel", "montantmensuel", "cuotamensual",
        ),
        "subscription_id": ("subscriptionid", "contractid"),
        "plan": ("plan", "plantier", "planname", "plantype", "tier", "subscriptiontype", "tarif", "tariff"),
        "seats": ("seats", "licences", "licenses", "numberofseats", "seatcount", "quantity"),
        "billing_months": ("billingmonths",),
        "payment_failed_at": ("paymentfailedat",),
    },
    "support_tickets": {
        "customer_id": CUSTOMER,
        "opened_at": ("openedat", "opened", "submittedat", "opendate", "ticketdate", "createdat", "created"),
        "first_response_at": ("firstresponseat", "respondedat", "answeredat", "firstreplyat"),
        "resolved_at": ("resolvedat", "closedat", "solvedat", "resolved", "closed"),
        "channel": ("channel",),
        "priority": ("priority", "severity"),
    },
    "surveys": {
        "customer_id": CUSTOMER,
        "ts": ("answeredat", "respondedat", "surveydate", "answered", "responsedate", *TIME),
        "survey": ("survey", "surveytype", "kind"),
        "score": ("score", "rating", "csat", "nps", "ces", "csatscore", "npsscore", "cesscore"),
    },
    "rewards": {
        "customer_id": CUSTOMER,
        "issued_at": (
            "issuedat", "issued", "issuedate", "grantedat", "awardedat",
            *_joined(GIVEN, "issued issuedat"),
        ),
        "redeemed_at": (
            "redeemedat", "redeemed", "redeemdate", "usedat",
            *_joined(GIVEN, "redeemed redeemedat usedat"),
        ),
        "value": ("value", "amount", "worth", *_joined(GIVEN, "value amount")),
    },
    "customers": {
        "customer_id": CUSTOMER,
        "since": ("since", "registeredat", "signupdate", "signedupat", "joinedat", "createdat"),
    },
    "marketing_costs": {
        "ts": TIME,
        "amount": ("amount", "cost", "costs", "spend"),
        "channel": ("channel",),
    },
    "campaigns": {
        "customer_id": CUSTOMER,
        "ts": TIME,
        "treatment": ("treatment", "group", "arm", "segment"),
        "outcome": ("outcome", "converted", "conversion"),
        "cost": ("cost",),
    },
}  # fmt: skip
