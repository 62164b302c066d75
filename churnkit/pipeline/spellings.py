"""What data files call the columns of each table, in English and a few other languages."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SPELLINGS", "plain"]


def plain(column: str) -> str:
    """Return the name of a column in lower case, without accents, blanks and other marks.

    Examples
    --------
    >>> plain("Quantité (pcs.)")
    'quantitepcs'
    """
    bare = unicodedata.normalize("NFKD", column.lower())
    return re.sub(r"[^a-z0-9]", "", bare)


def _joined(stems: str, endings: str) -> tuple[str, ...]:
    """Return every stem with every ending, by stem."""
    return tuple(stem + ending for stem in stems.split() for ending in endings.split())


BUYERS = (
    "customer cust client user member account buyer shopper household consumer visitor subscriber"
    " donor guest player contact person card kunden kunde cliente klant kund"
)
CUSTOMER = (
    "customerid",
    "customer",
    "customeruniqueid",
    *_joined(BUYERS, "id no nr number num key code uuid guid nummer unique hash"),
    *("client", "user", "member", "account", "household", "email", "emailaddress", "cid", "uid"),
    *("idclient", "idcliente", "numclient", "codcliente", "kunde", "cliente", "klant", "kund"),
    "msno",
)
PRODUCT = (
    *("productid", "stockcode", "sku", "itemid", "product", "item"),
    *("articleid", "productcode", "upc", "artikelnummer", "artikel", "produit", "producto"),
)
DAY = ("datum", "fecha", "zeitstempel")
TIME = ("timestamp", "ts", "datetime", "date", "time", "createdat", "created", "createdutc", *DAY)
EVENT_TIME = ("eventtime", "eventtimestamp", "eventdate", "occurredat")
CONTRACT = "subscription membership contract plan"
BOUGHT = "order invoice purchase transaction sale payment basket receipt"
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
            "datetime", "date", "time", "day", "created", "createdutc", "tdat", *DAY, *EVENT_TIME,
        ),
        "amount": (
            "amount", "revenue", "netamount", "total", "totalprice", "ordervalue", "orderamount",
            "ordertotal", "totalamount", "grandtotal", "linetotal", "subtotal", "sales",
            "salesamount", "salesvalue", "netsales", "turnover", "gmv", "amountpaid", "totalpaid",
            "actualamountpaid",
            *_joined(BOUGHT, "amount value total amt"), "amt", "spend", "value", "betrag",
            "umsatz", "summe", "gesamt", "montant", "importe", "monto", "importo", "unitprice",
            "itemprice", "priceperunit", "saleprice", "salesprice", "price", "preis", "prix",
            "precio", "prezzo", "preco",
        ),
        "order_id": (
            "orderid", "invoice", "invoiceno", "invoiceid", "transactionid", "basketid",
            *_joined(BOUGHT, "id no nr number num key code"), "order",
            *_joined("bestell rechnungs auftrags beleg", "nummer nr"), "commande", "pedido",
        ),
        "product_id": PRODUCT,
        "quantity": ("quantity", "qty", "units", "pieces", "menge", "anzahl", "quantite", "cantidad"),
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
            "startedat", "startdate", "start", "createddate", "begin", "validfrom",
            *_joined(CONTRACT, "start startdate startedat begin from since"),
        ),
        "ended_at": (
            "endedat", "enddate", "end", "canceledat", "cancelledat", "canceleddate",
            "cancelleddate", "canceldate", "cancellationdate", "terminationdate", "churndate",
            "validto", *_joined(CONTRACT, "end enddate endedat until to"),
        ),
        "mrr": (
            "mrr", "mrramount", "monthlyrevenue", "monthlyprice", "monthlyfee",
            "subscriptioncost", "monthlycharges",
        ),
        "subscription_id": ("subscriptionid", "contractid"),
        "plan": ("plan", "plantier", "planname", "plantype", "tier", "subscriptiontype"),
        "seats": ("seats", "licences", "licenses"),
        "billing_months": ("billingmonths",),
        "payment_failed_at": ("paymentfailedat",),
    },
    "support_tickets": {
        "customer_id": CUSTOMER,
        "opened_at": ("openedat", "opened", "submittedat", "opendate", "ticketdate", "createdat"),
        "first_response_at": ("firstresponseat", "respondedat", "answeredat", "firstreplyat"),
        "resolved_at": ("resolvedat", "closedat", "solvedat", "resolved", "closed"),
        "channel": ("channel",),
        "priority": ("priority", "severity"),
    },
    "surveys": {
        "customer_id": CUSTOMER,
        "ts": ("answeredat", "respondedat", "surveydate", *TIME),
        "survey": ("survey", "surveytype", "kind"),
        "score": ("score", "rating", "csat", "nps", "ces", "csatscore", "npsscore", "cesscore"),
    },
    "rewards": {
        "customer_id": CUSTOMER,
        "issued_at": ("issuedat", "issued", "issuedate", "grantedat", "awardedat"),
        "redeemed_at": ("redeemedat", "redeemed", "redeemdate", "usedat"),
        "value": ("value", "amount", "worth"),
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
