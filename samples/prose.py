"""Running text for the sample report and the sample contract: fictitious and deterministic by seed."""

from __future__ import annotations

import random

CHAPTERS = (
    "Summary of the year",
    "Sources and abstraction",
    "Treatment works",
    "Distribution network",
    "Water quality results",
    "Leakage and metering",
    "Energy and chemicals",
    "Flood protection",
    "Customers and tariffs",
    "Capital programme",
)

_SUBJECTS = (
    "the Harrow Lane works",
    "the eastern trunk main",
    "the reservoir at Fell Bridge",
    "the pumping station at Osier Quay",
    "the laboratory",
    "the leakage team",
    "the river intake",
    "the district metering programme",
    "the northern service area",
    "the control room",
    "the membrane plant",
    "the borehole field near Cotter Hill",
)
_VERBS = (
    "delivered",
    "recorded",
    "treated",
    "reported",
    "maintained",
    "replaced",
    "inspected",
    "reduced",
    "reviewed",
    "accounted for",
)
_OBJECTS = (
    "{n} megalitres a day",
    "{n} samples against the national standard",
    "{n} kilometres of cast-iron pipe",
    "{n} of the valves listed in the asset register",
    "an average turbidity of 0.{n} units",
    "{n} household connections",
    "{n} per cent of the planned work",
    "a chlorine residual of 0.{n} milligrams per litre",
    "{n} enquiries from the public",
    "costs of {n},{m} dollars",
)
_CIRCUMSTANCES = (
    "during the dry weeks of July and August",
    "compared with {n} in the previous year",
    "after the new filters were commissioned",
    "while demand stayed below the forecast",
    "without interruption to supply",
    "although two pumps were out of service",
    "as agreed with the county's drainage board",
    "before the end of the third quarter",
    "in line with the long-term plan adopted by the council",
    "despite heavy rain and high water on {n} days",
)
_LINKS = (
    "As a result,",
    "In addition,",
    "By contrast,",
    "Over the same period,",
    "For this reason,",
    "At the same time,",
    "According to the meters,",
)
_CLOSINGS = (
    "The figures are given in the annex.",
    "No further action is proposed.",
    "The board took note of this in its meeting of 14 November.",
    "Work on this continues in the coming year.",
    "Details are held at the company's office and can be inspected there.",
)


def _fill(template: str, random_source: random.Random) -> str:
    return template.format(n=random_source.randint(12, 98), m=f"{random_source.randint(0, 999):03}")


def sentence(random_source: random.Random) -> str:
    """One sentence of a waterworks' annual report."""
    parts = [
        random_source.choice(_SUBJECTS),
        random_source.choice(_VERBS),
        _fill(random_source.choice(_OBJECTS), random_source),
        _fill(random_source.choice(_CIRCUMSTANCES), random_source),
    ]
    if random_source.random() < 0.3:
        parts.insert(0, random_source.choice(_LINKS))
    if random_source.random() < 0.25:
        parts[-1] += f", and {random_source.choice(_SUBJECTS)} {random_source.choice(_VERBS)} "
        parts[-1] += _fill(random_source.choice(_OBJECTS), random_source)
    text = " ".join(parts) + "."
    return text[0].upper() + text[1:]


def paragraph(random_source: random.Random, sentences: int) -> str:
    """Several sentences."""
    lines = [sentence(random_source) for _ in range(sentences)]
    if random_source.random() < 0.4:
        lines.append(random_source.choice(_CLOSINGS))
    return " ".join(lines)


PARTIES = (
    "This Services Agreement (this “Agreement”) is made as of March 3, 2025 (the “Effective Date”) between "
    "<b>Larkmoor Instruments, Inc.</b>, a Delaware corporation with its principal place of business at 410 Tannery "
    "Road, Dover, Delaware 19901 (the “Client”), and <b>Penhallow &amp; Voss LLC</b>, a limited liability company "
    "organized under the laws of the State of Oregon with its principal place of business at 88 Wharf Street, "
    "Portland, Oregon 97205 (the “Contractor”). Each is a “Party” and together they are the “Parties”."
)

CLAUSES = (
    (
        "Services",
        "The Contractor shall calibrate, maintain and repair the measuring instruments listed in Schedule A at the "
        "Client\u2019s laboratories, and shall deliver a written report within ten (10) business days of each visit.",
        "The Contractor shall assign only personnel with the qualifications stated in Schedule B and shall replace any "
        "person at the Client\u2019s reasonable request.",
        "Visits take place between 8:00 a.m. and 6:00 p.m. on business days unless the Parties agree otherwise in "
        "writing. Emergency visits are made within twenty-four (24) hours of the Client\u2019s notice.",
    ),
    (
        "Term",
        "This Agreement begins on the Effective Date and continues for a period of three (3) years, unless it is "
        "terminated earlier under Section 8. It may be renewed for further periods of one (1) year by a written "
        "instrument signed by both Parties not later than sixty (60) days before the end of the term.",
    ),
    (
        "Fees and payment",
        "The Client shall pay the Contractor a fixed fee of $14,250.00 per quarter, invoiced in arrears. Emergency "
        "visits are charged at $185.00 an hour, with a minimum of four (4) hours.",
        "Invoices are payable within thirty (30) days of receipt. Amounts not paid when due bear interest at one per "
        "cent (1%) a month or, if lower, the highest rate that the law allows.",
        "The Contractor shall be reimbursed for travel expenses that the Client has approved beforehand, on "
        "presentation of receipts and without any addition.",
    ),
    (
        "Confidential information",
        "Each Party shall keep in confidence all technical, commercial and financial information that the other "
        "discloses to it under this Agreement, and shall use it only to perform this Agreement. The duty does not "
        "extend to information that is or becomes public without breach, that the recipient knew before, or that it "
        "develops independently.",
        "The duties of this Section last for five (5) years after the end of this Agreement.",
        "A recipient that is required by a court or an authority to disclose confidential information shall give "
        "prompt notice, so far as it may, and shall disclose no more than is required.",
    ),
    (
        "Ownership of work product",
        "Reports, calibration certificates and measurement data made for the Client under this Agreement belong to the "
        "Client upon payment. Methods, tools and software that the Contractor brings with it remain its own, and the "
        "Client receives a non-exclusive licence to use them with the work product.",
    ),
    (
        "Warranty",
        "The Contractor warrants that the services will be performed with the care and skill usual in the trade and in "
        "accordance with the applicable national standards. It shall perform again, at its own expense, any service "
        "that does not meet this warranty and of which it is notified within ninety (90) days.",
        "EXCEPT AS STATED IN THIS SECTION, NEITHER PARTY GIVES ANY WARRANTY, EXPRESS OR IMPLIED.",
    ),
    (
        "Liability",
        "Neither Party is liable for indirect or consequential loss. The total liability of either Party under this "
        "Agreement is limited to the fees paid in the twelve (12) months before the event from which it arises. These "
        "limits do not apply to wilful misconduct, to personal injury, or to a breach of Section 4.",
        "The Contractor shall carry general liability insurance of not less than $2,000,000 per occurrence and shall "
        "give the Client a certificate of insurance on request.",
    ),
    (
        "Termination",
        "Either Party may end this Agreement by written notice of ninety (90) days. Either Party may terminate it "
        "at once if the other is in material breach and does not cure the breach within thirty (30) days of notice, or "
        "becomes insolvent.",
        "On termination the Contractor shall return all instruments and documents of the Client, and the Client shall "
        "pay for the services performed up to that day.",
    ),
    (
        "Independent contractor",
        "The Contractor is an independent contractor. Nothing in this Agreement makes either Party the agent, partner "
        "or employee of the other. The Contractor is responsible for its own taxes and for those of its personnel.",
    ),
    (
        "Assignment and subcontracting",
        "Neither Party may assign this Agreement without the other\u2019s prior written consent, which shall not be "
        "unreasonably withheld, except to a successor to substantially all of its business. The Contractor remains "
        "responsible for the work of its subcontractors as for its own.",
    ),
    (
        "Notices",
        "Notices are given in writing to the addresses stated above, by courier or by registered mail, and take effect "
        "on receipt. A Party may change its address by notice to the other.",
    ),
    (
        "Force majeure",
        "A Party is excused for as long as events outside its reasonable control prevent its performance, provided "
        "that it gives notice without delay and takes reasonable steps to limit the consequences. If such an event "
        "lasts for more than sixty (60) days, the other Party may terminate this Agreement by written notice.",
    ),
    (
        "Governing law",
        "This Agreement is governed by the laws of the State of Delaware, without regard to its conflict of laws "
        "rules. The courts of Kent County, Delaware, have exclusive jurisdiction.",
    ),
    (
        "General",
        "This Agreement, with its schedules, is the entire agreement of the Parties on its subject and replaces all "
        "earlier ones. It can be changed only in a writing signed by both Parties. If a provision is invalid, the "
        "others remain in effect. A failure to enforce a provision is no waiver of it.",
        "This Agreement may be signed in counterparts and by electronic signature, each of which is an original.",
    ),
)
