"""English: the words of `vocabulary`, `vocabulary_trades`, `names` and `phrases`, after forms of the United States."""

from __future__ import annotations

import random

from pipelines.datasets.synthetic_forms import phrases
from pipelines.datasets.synthetic_forms import vocabulary as words
from pipelines.datasets.synthetic_forms import vocabulary_trades as trades
from pipelines.datasets.synthetic_forms.language import FormLanguage, distinct_keys
from pipelines.datasets.synthetic_forms.names import INSTRUCTIONS, POSITIONS
from pipelines.datasets.synthetic_forms.trade_values import amounts, terms_of_payment
from pipelines.datasets.synthetic_forms.vocabulary import split

Random = random.Random

_CAPTIONS: dict[str, tuple[str, ...]] = {
    "memo to": ("To",),
    "memo from": ("From",),
    "memo date": ("Date",),
    "memo subject": ("Subject", "Re", "SUBJECT"),
    "memo copies": ("cc", "Copies to", "CC", "Department", "Through"),
    "memo separators": (":", ":", ":", "", " -"),
    "fax company": ("Company",),
    "fax number": ("Fax", "Fax No.", "Fax #", "FAX NUMBER"),
    "fax phone": ("Phone", "Tel.", "Telephone"),
    "fax pages": ("Pages", "No. of Pages", "Number of pages (including cover)"),
    "fax subject": ("Re", "Subject", "Time", "cc"),
    "signed": split("Signature|Signed|Approved|Approved by|By|Authorized Signature|Submitted by|Reviewed by"),
    "signature": ("Signature",),
    "signatures": split("Approvals|Signatures|Approved By|Approval|Authorized By|Reviewed By|Signed"),
    "post": split(
        "Requesting Manager|Group Product Director|Purchasing Department|Division Head|Controller|Buyer"
        "|Department Manager|Vice President|Legal|Director of Research|Brand Manager|Treasurer|Supervisor|Employee"
        "|Applicant|Witness|Accounting|Quality"
    ),
    "date": ("Date",),
    "paragraph key": split("Comments|Description|Remarks|Message|Purpose|Results"),
    "ledger total": split("Total|TOTAL|Grand Total|Net|Balance"),
    "row": words.ITEMS,
    "row unit": split("%|mg|N = 50|5 = best|per unit|lbs.|net"),
    "total row": ("Total",),
    "corner": split("Item|Group|Region|Description|Test|Month|Name|Account|Code"),
    "section": words.SECTION_TITLES,
    "option": words.CHECK_LABELS,
    "copies": split("cc|CC|Copies to|Distribution|Copy to|Original to|Attendees|Members"),
    "copies separators": (":", ":", "", " -"),
    "office use": split("For Office Use Only|Office Use|Do Not Write Below|Internal Use Only|Accounting"),
    "note": split("NOTE:|NOTES:|Note:|N.B.|Note -|IMPORTANT:"),
    "address": split("Address|Name and Address|Mail To|Ship To|Bill To|Return To|Location"),
    "position": POSITIONS,
    "telephone": ("Tel.", "Telephone:", "Phone", ""),
    "instruction": INSTRUCTIONS,
    "instructions": split("Instructions|Please note|Directions|How to complete this form"),
    "heading": split(
        "Terms and Conditions|Instructions|Important Notice|Privacy Notice|Declaration|How to Apply"
        "|Conditions of Sale|Certification|General Terms|Notes|Disclaimer|Authorization|Who May Apply|Payment Terms"
        "|Limitation of Liability|Scope|Purpose|Introduction|Summary"
    ),
    "reference": ("Re", "Subject", "Ref"),
    "closing": ("Sincerely,", "Yours truly,", "Very truly yours,", "Kind regards,"),
    "party": split("Bill To|Ship To|Invoice To|Deliver To|Sold To|Customer|From|Supplier|Remit To"),
    "party telephone": ("Tel.", "Phone:", "Fax:", "Tel:"),
    "item": trades.ITEMS,
    "item column": split("Description|Item|Article|Product|Service|Details"),
    "quantity column": split("Qty|Quantity|Hours|Units|QTY."),
    "price column": split("Unit Price|Price|Rate|Unit Cost|Price each"),
    "tax column": split("VAT|Tax|VAT %|Disc."),
    "unit column": split("Unit|UoM|U/M"),
    "position column": split("No.|Pos.|#|Line"),
    "item number column": split("Item No.|Code|SKU|Art. No."),
    "date column": split("Date|Service Date"),
    "amount column": split("Amount|Total|Line Total|Net|Extension|Value"),
    "total": split(
        "Subtotal|Sub-Total|VAT 19%|Tax (8.25%)|Discount|Shipping|Freight|Total|TOTAL DUE|Amount Due|Net Amount"
        "|Grand Total|Balance Due|Paid|Deposit|Rounding"
    ),
    "receipt item": split("Item|Description|Article"),
    "receipt price": split("Price|Amount|EUR|Total"),
    "thanks": split("Thank you!|THANK YOU FOR YOUR VISIT|Please come again|Goods may be exchanged"),
    "stamp": split("RECEIVED|RECEIVED|APPROVED|PAID|ENTERED|FILED|CANCELLED"),
    "page 1": ("PAGE 1",),
    "stray": split(
        "COPY|RECEIVED|CONFIDENTIAL|FILE|PAID|DRAFT|cc:|OK|JRM|RLD|W.|(over)|Page|of|Original|*|--|Rev.|and|or|ENTERED"
        "|A|1|2"
    ),
}

ROW_GROUPS = (
    ("Sex", ("Male", "Female")), ("Age", ("Under 25", "25-34", "35-44", "45 & Over")), ("Region", ("North", "South",
     "East", "West")), ("Brand Smoked", ("Test Brand", "All Other")), ("City", ("Chicago", "Atlanta", "Los Angeles")),
    ("Income", ("Under $10,000", "$10,000-$20,000", "Over $20,000")), ("Assets", ("Cash", "Receivables", "Inventory")),
    ("Liabilities", ("Short-term", "Long-term", "Accrued")), ("Education", ("High School", "College", "Graduate")),
    ("Labor", ("Regular", "Overtime", "Temporary")), ("Travel", ("Air", "Hotel", "Meals", "Car")),
    ("Hematology", ("WBC", "RBC", "Hemoglobin", "Platelets")), ("Earnings", ("Basic Pay", "Overtime", "Bonus")),
    ("Deductions", ("Tax", "Pension", "Health")), ("Charges", ("Energy", "Delivery", "Taxes")),
    ("Usage", ("Peak", "Off-peak")),
)  # fmt: skip

_QUESTION_STARTS = (
    "What is", "Please describe", "How would you rate", "Which of the following is", "How often do you use",
    "Do you agree with", "When did you last see", "Who is responsible for", "Were you satisfied with",
    "Would you recommend", "How many times have you bought", "Is there any change in",
)  # fmt: skip
_QUESTION_TAILS = (
    "", "", " at this time", " in the past month", " in your area", " (if any)", " during the test", " most often",
)  # fmt: skip
_DECLARATIONS = ("I hereby declare that", "I certify that", "By signing below I confirm that", "I agree that")


def _long_title(rng: Random, text: str) -> str:
    added = rng.choice((phrases.phrase, phrases.company, phrases.title))(rng)
    return f"{text} {rng.choice(('-', 'for', '/', ''))} {added}"


def _long_section_title(rng: Random, text: str) -> str:
    return f"{text} {rng.choice(('-', 'and', '/', 'for', 'of', '&'))} {phrases.phrase(rng).title()}"


def _statement(rng: Random, domain: str) -> str:
    noun = phrases.phrase(rng).lower()
    return rng.choice(
        (
            f"Is the {noun} complete?",
            f"Have you ever used {noun}?",
            phrases.key(rng, domain)[0],
            f"{noun.capitalize()} checked",
            f"Are there any changes to the {noun}?",
        )
    )


def _question(rng: Random) -> str:
    subject = rng.choice(("the ", "your ", "this ")) + phrases.phrase(rng).lower()
    return f"{rng.choice(_QUESTION_STARTS)} {subject}{rng.choice(_QUESTION_TAILS)}{rng.choice(('?', '?', ':'))}"


def _declaration(rng: Random) -> str:
    start = rng.choice(_DECLARATIONS)
    return f"{start} {phrases.sentence(rng)} {phrases.sentence(rng) if rng.random() < 0.5 else ''}"


def _form_number(rng: Random) -> str:
    return rng.choice((f"Form {rng.randint(10, 9999)}", f"FORM NO. {phrases.code(rng)}", f"Rev. {phrases.date(rng)}"))


def _page_number(rng: Random) -> str:
    return rng.choice((str(rng.randint(1, 40)), f"- {rng.randint(1, 9)} -", f"Page {rng.randint(1, 3)} of 3"))


ENGLISH = FormLanguage(
    code="en",
    tesseract="eng",
    spaced=True,
    domains=(tuple(words.KEYS), tuple(trades.KEYS)),
    values={
        **phrases.VALUES,
        "street": phrases.street,
        "one sentence": phrases.sentence,
        "greeting": lambda rng: f"Dear {phrases.name(rng)}:",
        "declaration": _declaration,
        "company phrase": lambda rng: f"{phrases.company(rng)} {phrases.phrase(rng)}",
        "page number": _page_number,
        "form number": _form_number,
        "item": lambda rng: rng.choice(trades.ITEMS),
        "item detail": lambda rng: rng.choice((phrases.phrase(rng).lower(), phrases.code(rng), phrases.measure(rng))),
        "quantity": lambda rng: str(rng.randint(1, 40)),
        "tax rate": lambda rng: rng.choice(("19%", "7%", "20 %", "0%", "8.25%")),
        "unit": lambda rng: rng.choice(("pcs", "ea", "kg", "h", "box", "m")),
        "position": lambda rng: str(rng.randint(1, 20)),
        "terms of payment": terms_of_payment,
        "page of pages": lambda rng: f"{rng.randint(1, 3)} of 3",
        "carrier": lambda rng: rng.choice(("UPS", "Courier", "Own truck", "Post")),
    },
    captions=_CAPTIONS,
    heads=words.HEADS,
    listed_keys=(
        ("CC", "name"), ("Distribution", "name"), ("Attendees", "name"), ("Participants", "name"), ("Markets", "place"),
        ("Suppliers", "company"), ("Products", "phrase"), ("Dates", "date"),
    ),
    row_groups=ROW_GROUPS,
    document_data=(
        ("Invoice No.", "identifier"), ("Invoice Date", "day"), ("Due Date", "day"), ("Order No.", "identifier"),
        ("Date", "day"), ("Customer No.", "identifier"), ("P.O. Number", "identifier"), ("Terms", "terms of payment"),
        ("VAT No.", "tax_number"), ("Delivery Date", "day"), ("Reference", "identifier"), ("Salesperson", "name"),
        ("Page", "page of pages"), ("Contact", "email"), ("Amount Due", "amount"), ("Ship Via", "carrier"),
    ),
    receipt_data=(
        ("Date", "day"), ("Time", "time"), ("Receipt No.", "identifier"), ("Cashier", "name"), ("Table", "small"),
    ),
    signed_on=(("Date", "date"), ("Title", "phrase"), ("Date", "date")),
    dated=(("Date", "date"), ("Place, Date", "date")),
    yes_no=("Yes", "No"),
    answer_columns=(
        ("Yes", "No"), ("Yes", "No"), ("Yes", "No", "N/A"), ("Good", "Fair", "Poor"), ("OK", "Not OK"), ("1", "2", "3"),
    ),
    key=phrases.key,
    amount_keys=lambda rng, domain, count: [text for text, _ in distinct_keys(phrases.key, rng, domain, count)],
    value=phrases.value,
    options=phrases.options,
    title=phrases.title,
    section_title=phrases.section_title,
    long_title=_long_title,
    long_section_title=_long_section_title,
    statement=_statement,
    question=_question,
    qualified=lambda rng, text, kind: f"{rng.choice(words.ADJECTIVES)} {text}",
    joined_keys=lambda rng, text, domain: (
        f"{text} {rng.choice(('of', 'for', 'and', 'or'))} {phrases.key(rng, domain)[0]}"
    ),
    expand=lambda rng, text: text,
    paragraph=phrases.paragraph,
    amounts=amounts,
    separators=(":", ":", ":", ":", ":", "", "", "", "", "", " :", "...", " -", "."),
    listed=", ",
    clause_numbers=("{}. ", "{}) ", "§ {} ", "", "1.{} "),
    step_numbers=("{}.", "({})", "Step {}:", "-", "*"),
    bullets=("*", "-", "•", "#"),
    apart=("•", "-", ",", ""),
    cell=lambda text: " ".join(text.replace("$ ", "$").split()[:1]),
    larger=0,
    key_capitals=0.4,
    fitted=False,
    families="latin",
    characters="",
    annotators=True,
)  # fmt: skip
