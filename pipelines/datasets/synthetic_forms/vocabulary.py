"""The words of drawn forms: keys with the kind of value that answers them, title and section words, sentence parts.

All of it is written by hand for this package. A key stands as `Key name|Other name: kind`, and the kind names a
function of `phrases.VALUES`.
"""

from __future__ import annotations


def split(text: str) -> tuple[str, ...]:
    """The entries between bars."""
    return tuple(part.strip() for part in text.replace("\n", "|").split("|") if part.strip())


def keys_of(**kinds: str) -> tuple[tuple[str, str], ...]:
    """Each key with the kind under which it is listed."""
    return tuple((name, kind) for kind, names in kinds.items() for name in split(names))


KEYS: dict[str, tuple[tuple[str, str], ...]] = {
    "business": keys_of(
        name="Name|Contact|Contact Person|Requested By|Prepared By|Approved By|Supervisor|Manager|Account Manager"
        "|Buyer|Originator|Initiated By|Submitted By|Reviewed By|Authorized By|Project Leader|Coordinator"
        "|Division Head",
        company="Company|Firm|Company Name|Vendor|Supplier|Customer|Client|Organization|Contractor|Account Name"
        "|Distributor|Name of Firm|Bill To|Sold To|Agency",
        department="Department|Dept.|Division|Section|Unit|Cost Center|Branch|Group|Area",
        date="Date|Date Prepared|Date Required|Effective Date|Start Date|Completion Date|Date Issued|Date of Request"
        "|Due Date|Date Received|Date Submitted|Expiration Date|Target Date|Review Date|Date Approved",
        code="Reference No.|File No.|Project No.|Order No.|Contract No.|Account No.|Job No.|Form No.|Code|Control No."
        "|Requisition Number|Purchase Order|Case No.|Your Ref.|Our Ref.|Document Number|ID|Authorization No.",
        phrase="Subject|Title|Purpose|Description|Project|Project Title|Type|Category|Status|Priority|Location|Reason"
        "|Nature of Business|Scope|Objective|Type of Request|Classification|Item|Product|Terms",
        sentence="Comments|Remarks|Notes|Explanation|Justification|Recommendation|Summary|Action|Action Required"
        "|Special Instructions|Conclusions|Background|Results|Follow-up|Next Steps|Other Comments|Reason for Request",
        money="Amount|Total|Total Cost|Budget|Estimated Cost|Price|Unit Price|Cost|Value",
    ),
    "product test": keys_of(
        code="Sample No.|Sample ID|Batch No.|Lot No.|Test No.|Product Code|Formula No.|Test Number|Specimen|Style No."
        "|Panel No.|Model|Model No.|Blend No.|Run No.|Item Code|UPC",
        measure="Weight|Length|Width|Height|Thickness|Diameter|Batch Size|Volume|Moisture|Pressure|Net Weight|Size"
        "|Load|Speed|Temperature|Capacity|Package Size|Pressure Drop|Sample Size|Humidity|Circumference|Firmness",
        phrase="Product|Brand|Variety|Brand Name|Product Tested|Test Method|Package|Packaging|Material|Color|Flavor"
        "|Finish|Type of Test|Condition|Label|Wrapper|Closure|Maker|Grade|Additive|Casing|Paper|Filter|Markings|Type",
        sentence="Objective|Procedure|Observations|Appearance|Test Conditions|Findings|Special Requirements|Odor"
        "|Purpose of Test|Product Description|Discussion|Shelf Life",
        date="Test Date|Production Date|Date Manufactured|Date Tested|Date Shipped|Date Opened|Date Sampled",
        name="Tested By|Technician|Analyst|Inspector|Written By|Sampled By|Checked By|Operator|Original To|Copies To",
        number="No. of Samples|Replicates|Units Tested|Number of Panelists|Defects|Cartons|Count|Score|Rating|Rank",
    ),
    "laboratory": keys_of(
        phrase="Compound|Chemical Name|Solvent|Matrix|Species|Strain|Sex|Method|Instrument|Vehicle|Route|Structure"
        "|Common Name|Physical State|Source|Solubility|Column|Detector|Carrier Gas|Reagent|Stability|Storage|Purity"
        "|Toxicity|Molecular Formula|Test Material|Animal|Cell Type|Assay|Test System|Organism",
        measure="Molecular Weight|Melting Point|Boiling Point|Density|Flash Point|Dose|Concentration|Flow Rate"
        "|Specific Gravity|Yield|Injection Volume|pH|Amount Submitted|Refractive Index|Vapor Pressure|Total Dose",
        code="CAS No.|Registry No.|Notebook No.|Lab No.|Notebook Page|Study No.|Protocol No.|Animal No.|Compound Code"
        "|Identification No.|Spectrum No.|Log No.",
        percent="Recovery|Moisture|Ash|Nitrogen|Purity|Sugars|Solids|Ammonia|Alkaloids|Volatiles|Mortality|RSD",
        date="Date of Analysis|Date Started|Date Completed|Date Entered|Sacrifice Date|Date of Birth|Date Reported",
        name="Chemist|Investigator|Principal Investigator|Study Director|Submitter|Analyst|Author|Authors|Reviewer",
        sentence="Hazards|Handling|Results|Comments|Interpretation|Precautions|Method of Disposal|Signs|Abstract",
    ),
    "marketing": keys_of(
        phrase="Brand|Promotion|Program|Market|Region|Media|Target Audience|Offer|Medium|Theme|Display|Territory"
        "|Brands|Type of Promotion|Event|Type of Account|Sales Area|Vehicle|Issue|Audience|Premium|Campaign|Space"
        "|Geographic Area|Channel|Publication|Creative|Section|Chain|Retail Outlet|Competitive Activity|Markets",
        date="Issue Date|Drop Date|Start Date|Close Date|Expiration Date|On Sale Date|Field Start|Field Complete"
        "|Mail Date|Final Report Due|Date of Promotion|Print Date|Insertion Date",
        money="Face Value|Redemption Cost|Media Cost|Value|Handling Fee|Budget|Authorized Cost|Coupon Value|Net Cost",
        number="Circulation|Quantity|No. of Stores|Coupons Issued|Number of Displays|Calls Made|Cases|Samples|Volume"
        "|Reach|Frequency|Impressions|Outlets|Households|Respondents|Stores|Number of Interviews|Distribution|Print",
        percent="Redemption Rate|Estimated Redemption|Market Share|Response Rate|Distribution|Share|Awareness|Trial",
        company="Agency|Supplier|Research Supplier|Printer|Account|Chain|Fulfillment House|Wholesaler|Retailer|Event",
        code="Coupon Code|Project No.|Job Number|Estimate No.|Insertion Order|Assigned Code|Promotion No.|Ad Code|Plan",
        name="Brand Manager|Sales Rep.|Region Manager|Field Supervisor|Contact|Account Executive|Requested By|Manager",
        sentence="Objective|Strategy|Comments|How Widespread|Method of Distribution|Consumer Response|Evaluation"
        "|Trade Reaction|Sales Force|Pricing|Opportunities",
    ),
    "fax": keys_of(
        name="To|From|Attention|Attn|Sender|Recipient|Name|Sent By|cc|Operator|Deliver To|Please Deliver To",
        company="Company|Firm|Organization|Of|Company Name|Location|Client",
        phone="Fax|Fax No.|Phone|Tel.|Telephone|Fax Number|Telephone No.|Phone No.|Telecopier No.|Fax #|Phone #"
        "|Fax Phone"
        "|Verification No.|Direct Dial|Our Fax|Confirm",
        small="Pages|No. of Pages|Number of Pages|Total Pages|Pages to Follow|Number of Pages (including cover)"
        "|Total Number of Pages Including This Page|Page(s)|Number of pages sent",
        date="Date|Date Sent|Date & Time",
        time="Time|Time Sent|Time Received",
        phrase="Re|Subject|Regarding|Reference|Urgent|Document",
        code="Client No.|Matter No.|Client/Matter|File|Job No.|Floor|Room",
        sentence="Message|Comments|Remarks|Special Instructions|Note",
    ),
    "finance": keys_of(
        money="Amount|Total|Subtotal|Tax|Net Amount|Balance|Total Due|Salary|Advance|Freight|Discount|Hotel|Meals"
        "|Airfare|Mileage|Amount Requested|Current Balance|Prior Year|Amount Paid|Deposit|Credit Limit|Total Budget"
        "|Original Budget|Revised Budget|Expenditures|Committed So Far|Commitment|Total Expenses|Accrual|Supplies"
        "|Equipment|Overhead|Labor|Travel|Entertainment|Fee|Annual Cost|Capital|Unexpended Balance|Payment|Tuition",
        code="Account|Account Number|Invoice No.|Check No.|Cost Code|Vendor No.|Voucher No.|GL Code|Fund|Charge Account"
        "|Budget Code|Tax ID|Federal I.D. No.|Contract Number|P.O. No.|Center|Item No.|Social Security No.",
        date="Invoice Date|Period Ending|Date Paid|Fiscal Year|Month|Due Date|Payment Date|Period|Check Date|Year",
        name="Payee|Payable To|Employee|Approved|Claimant|Requestor|Traveler|Pay To|Treasurer|Controller|Authorized",
        phrase="Description|Method of Payment|Terms|Purpose|Type of Expense|Currency|Payment For|Category|Destination",
        percent="Rate|Interest|% of Total|% Change|Discount|Percent Complete|Variance|Tax Rate",
        company="Bank|Payee|Vendor|Make Check Payable To|Credit References|Bank Reference|Creditor",
    ),
    "personnel": keys_of(
        name="Name|Employee|Employee Name|Last Name|First Name|Emergency Contact|Spouse|Supervisor|Applicant|Name of"
        " Speaker|Attendee|Nominee|Participant|Name of Witness|Author",
        phrase="Position|Title|Occupation|Education|Job Title|Marital Status|Citizenship|Degree|School|Major|Present"
        " Position|Specialty|Course|Course Title|Hobbies|Nationality|Field|Birthplace|Experience|Honors|Affiliation",
        date="Date of Birth|Hire Date|Date Employed|Last Day Worked|Birth Date|Review Period|Date of Accident|Born",
        number="Age|Years of Service|Badge|Grade|Hours|Extension|Ext.|Children|Dependents|Employee No.|Hours Worked",
        phone="Home Phone|Business Phone|Telephone|Office Phone|Phone Number|Telephone Number|Tel. No.|Area Code",
        address="Address|Home Address|Mailing Address|Street Address|Business Address|Permanent Address|Residence",
        place="City|City, State|Place of Birth|City/State/Zip|State|Hometown",
        money="Salary|Current Salary|Proposed Salary|Honorarium|Registration Fee|Fee|Benefits",
    ),
    "legal": keys_of(
        name="Attorney|Plaintiff|Witness|Judge|Counsel|Defendant|Deponent|Expert|Lobbyist|Partner|Lead Counsel"
        "|Custodian",
        phrase="Case|Court|Case Name|Jurisdiction|Issue|Document Type|Type of Document|Bill|Sponsor|Claim|Disease"
        "|Privilege|Cause of Action|Condition|Verdict|Venue|County|Relief|Trademark|Class|Goods|Characteristics",
        date="Date Filed|Date Served|Trial Date|Hearing Date|Date of Document|Filing Date|Date of Loss|Date Produced",
        code="Docket No.|Case Number|Bates No.|Civil Action No.|Serial No.|Reg. No.|Bill No.|Request No.|Box|Exhibit",
        company="Firm|Law Firm|Co-Defendants|Registrant|Plaintiff Counsel|Lead Defendants|Applicant|Owner|Site",
        sentence="Status|Allegations|Summary of Claim|Statement|Current Status|Nature of Case|Action|Disposition",
    ),
    "shipping": keys_of(
        company="Ship To|Consignee|Carrier|Shipper|Destination|Broker|Ship From|Sold To|Forward To",
        code="Tracking No.|Order No.|Seal No.|Bill of Lading|P.O. No.|Airbill|Container|Zone|Warehouse|SKU|Truck",
        number="Quantity|Qty|Cases|Cartons|Pieces|No. of Cartons|Quantity Ordered|Quantity Shipped|Pallets"
        "|Units|Sticks",
        measure="Gross Weight|Net Weight|Weight|Dimensions|Case Size|Volume|Tare",
        date="Ship Date|Delivery Date|Date Shipped|Arrival Date|Required By|Date Wanted|Date Ordered",
        phrase="Description|Commodity|Packing|F.O.B.|Terms|Via|Ship Via|Mode|Routing|Class|Contents|Pack|Method",
        address="Delivery Address|Ship To Address|Address|Return To",
        sentence="Special Instructions|Shipping Instructions|Remarks|Distribution",
    ),
    "government": keys_of(
        code="Permit No.|License No.|EPA No.|Application No.|Registration No.|Docket|Grant No.|OMB No.|SIC Code|Form",
        phrase="Agency|Type of Permit|Class|Activity|Type of License|Country|Facility|Program|Ownership|Use|Authority",
        date="Date Issued|Expires|Year Covered|Report Period|Period Covered|Sales From|Sales Until|Date",
        company="Applicant|Licensee|Facility Name|Manufacturer|Manufactured For|Grantee|Institution|Owner",
        number="Population|Unit Sales|Number of Employees|Dollar Sales|Total Reported|Year|Quantity Sold|Males|Females",
        address="Address|Location|Facility Address|Principal Place of Business",
        name="Responsible Official|Inspector|Certified By|Agent|Official|Director|Contact Person",
        yes="Hazardous (Y/N)|Renewal|Exempt|On File|Approved|Confidential|Attached|Amended",
    ),
    "medical study": keys_of(
        code="Subject No.|Patient ID|Study No.|Visit|Site|Group|Animal Number|Center No.|Chart No.|Slide No.|Rat No.",
        measure="Weight|Height|Blood Pressure|Pulse|Dose|Body Weight|Temperature|Heart Rate|Liver|Kidney|Lung|Spleen",
        phrase="Diagnosis|Race|Sex|Treatment|Drug|Tumor Type|Tissue|Diet|Medication|Route|Finding|Symptoms"
        "|Lesion|Breed",
        number="Age|Number of Subjects|Week|Day|Number Dead|Group Size|Cigarettes/Day|Count|N|Survivors|Controls|Cases",
        date="Date of Visit|Date of Death|Date of Onset|Date Enrolled|Date of Exam|Necropsy Date",
        name="Physician|Investigator|Pathologist|Nurse|Monitor|Patient Initials|Sponsor",
        yes="Consent|Adverse Event|Completed|Smoker|History of Disease|Eligible",
        percent="Incidence|Change|Survival|Confidence|Rate",
    ),
    "survey": keys_of(
        phrase="Region|Occupation|Brand Smoked Most|Regular Brand|Income|Area|Respondent Group|Education|Usual Brand"
        "|Brand Preferred|Interview Location|Most Often Used Product|Where Purchased|Market",
        number="Age|Respondent No.|Base|Total Respondents|Sample|Quota|Number of Calls|Interview No.|Total|Cell|Wave",
        yes="Have you used this product before?|Would you buy it again?|Was the package damaged?|Employed"
        "|Did you see the advertisement?|Married|Do you have any comments?|Was the interview completed?|Own Home",
        name="Interviewer|Supervisor|Respondent|Validated By|Edited By|Respondent's Name",
        time="Time Started|Time Ended|Length|Start|Finish",
        percent="Male|Female|Under 25|25 to 34|35 to 49|50 and over|Favorable|Unfavorable|No Opinion|Users|Nonusers"
        "|Agree|Disagree|Like|Dislike|Excellent|Good|Fair|Poor|Very Satisfied|Aware|Preferred|Prefer|Don't Know",
    ),
}

ADJECTIVES = split(
    "Total|Current|Previous|Final|Original|Estimated|Actual|Proposed|Revised|Net|Gross|Annual|Monthly|Average|Initial"
    "|Present|Regular|Standard|Maximum|Minimum|Other|Primary|Additional|Approved|Planned|Requested|Authorized|Expected"
    "|Local|National|Daily|Control|Test|New|Old|Last|First|Next|Overall|Special|Home|Business|Field|Prior|Unit|Base"
)
NOUNS: tuple[tuple[str, str], ...] = keys_of(
    money="Cost|Amount|Budget|Price|Expenses|Balance|Payment|Fee|Sales|Charges|Funds",
    number="Quantity|Number|Volume|Units|Count|Sales|Orders|Cases|Inventory|Attendance|Hours",
    date="Date|Period|Deadline",
    measure="Weight|Length|Size|Temperature|Dose|Level|Deviation|Value",
    phrase="Product|Program|Method|Location|Plan|Material|Source|Brand|Condition|Status|Design|Supplies|Item",
    percent="Rate|Share|Change|Response",
    name="Contact|Supervisor|Reviewer|Owner|Member",
    code="Code|Reference|Reference No.|Account|Number|File",
)
KEY_TAILS = split(
    "(if any)|(Y/N)|(optional)|(see below)|(please print)|(mm/dd/yy)|(if applicable)|(specify)|(check one)|(in full)"
    "|(attach copy)|(lbs.)|(mg)|($)|(%)|(000)|(describe)|(give reasons)|(to date)|(est.)|(use reverse side)"
)

TITLE_FIRST = split(
    "Project|Budget|Product|Sample|Test|Supplier|Coupon|Promotion|Travel|Expense|Purchase|Employee|Sales|Market"
    "|Research"
    "|Laboratory|Shipping|Contract|Credit|Registration|Conference|Consumer|Media|Advertising|Quality|Equipment|Vendor"
    "|Personnel|Patent|Document|Field|Account|Monthly|Weekly|Quarterly|Annual|Special|Retail|Analytical|Chemical|Safety"
    "|Manuscript|Speaker|Capital|Check|Visitor|Data|Brand|Competitive|Trade|Inventory|Grant|Membership|Incident|Study"
)
TITLE_MIDDLE = split(
    "Authorization|Activity|Approval|Evaluation|Development|Information|Transfer|Change|Redemption|Program|Analysis"
    "|Expenditure|Submission|Review|Planning|Test|Event|Cost|Performance|Release|Material|Disposal|Distribution"
    "|Progress"
    "|Cancellation|Appropriation|Specification|Complaint|Registration|Inspection|Return|Payment|Control|Design"
)
TITLE_LAST = split(
    "Form|Report|Request|Sheet|Record|Summary|Notice|Application|Questionnaire|Worksheet|Log|Order|Agreement|Statement"
    "|Data Sheet|Cover Sheet|Checklist|Card|Schedule|Requisition|Proposal|Plan|Memorandum|Transmittal|Invoice|Profile"
    "|Results|Form (continued)|Request Form|Progress Report|Status Report|Survey|Estimate|Voucher|Update|Brief"
)
TITLES = split(
    "Memorandum|MEMO|Inter-Office Memorandum|Interoffice Correspondence|FAX|Fax Cover Sheet"
    "|Facsimile Transmittal|Facsimile"
    "|Fax Transmission|Telecopy Cover Sheet|Transmittal Sheet|Fax Transmittal Sheet|Facsimile Cover Page|Routing Slip"
    "|Confidential|Invoice|Purchase Order|Request for Payment|Check Request|Expense Report|Questionnaire"
    "|Registration Form"
    "|Telefax|Telefax Message|Telecopier Transmission|Internal Memo|Office Memo|Record of Conversation|Speed Letter"
)
SECTION_TITLES = split(
    "General Information|Background|Summary|Results|Instructions|Product Information|Budget|Costs|Approvals|Approval"
    "|Distribution|Comments|Personal Data|Payment|Description|Test Conditions|Samples|Requirements|Schedule|Shipping"
    "|Part A|Part B|Section I|Section II|Section 3|Analysis|Materials|Equipment|Personnel|Contacts|References|Education"
    "|Experience|Signatures|For Office Use Only|For Internal Use|Official Use Only|Status|Expenses|Travel|Media Plan"
    "|Physical Properties|Chemical Data|Test Results|Method|Observations|Current Period|Year to Date|Prior Year"
    "|Field Work|Sample Description|Markets|Offer|Key Dates|Account Data|Vendor Data|Authorizations|Routing|Storage"
    "|Group I|Group II|Test Product|Control Product|Packaging|Labels|Responsibility|Reports|Blend|Specifications"
    "|Financial Data|Estimated Costs|Timing|Objectives|Competitive Activity|Action Required|Attendance|Publications"
    "|Details of Request|Consumer Information|Complaint|Business Address|Home Address|Bank Information|Males|Females"
)
CHECK_LABELS = split(
    "Yes|No|Approved|Not Approved|Rejected|Urgent|For Review|Please Reply|Please Comment|Other|None|New|Renewal|Change"
    "|Routine|Confidential|Male|Female|Cash|Check|Credit Card|Full Time|Part Time|Original|Copy|Revised|Final|Draft"
    "|Information|For Your Information|Reply Requested|As Requested|Call Me|Please Sign|Mail|Hold|Domestic|Export"
    "|Single|Married|Excellent|Good|Fair|Poor|Very Good|Never|Sometimes|Often|Always|Newspaper|Magazine|Radio"
    "|Direct Mail"
    "|Television|Outdoor|Display|In Store|Wholesale|Retail|Box|Soft Pack|Hard Pack|Regular|Light|King Size|Overnight"
    "|First Class|By Hand|Weekly|Monthly|Annual|Member|Guest|Speaker|Student|Liquid|Solid|Gas|Powder|Complete|Pending"
    "|In Progress|Accept|Revise|Attend|Will not attend|Agree|Disagree|Undecided|Flammable|Toxic|Corrosive|Breakfast"
)
ITEMS = split(
    "Control|Sample A|Sample B|Sample C|Blank|Standard|Group 1|Group 2|Group 3|Group 4|Placebo|High Dose"
    "|Low Dose|Mid Dose"
    "|Northeast|Southeast|Midwest|West|Southwest|Pacific|Central|Eastern|Western|Atlanta|Chicago|Dallas|Boston|Denver"
    "|Production|Media|Printing|Postage|Labor|Materials|Travel|Equipment|Consulting|Rent|Supplies|Salaries|Freight"
    "|January|February|March|April|May|June|July|August|September|October|November|December|1st Quarter|2nd Quarter"
    "|Week 1|Week 2|Week 3|Week 4|Day 1|Day 7|Day 14|Water|Nitrogen|Carbon Monoxide|Total Solids|Ash|Sugar|Lead|Zinc"
    "|Men|Women|18-24|25-34|35-49|50+|Total|Average|Mean|Maximum|Minimum|Std. Dev.|Range|Base|Brand A|Brand B|All Other"
    "|Line 1|Line 2|Machine 4|Plant 2|Methanol|Acetone|Phenol|Toluene|Benzene|Acetic Acid|Glycerin|Menthol|Ethanol"
    "|Newspapers|Magazines|Outdoor|Direct Mail|Point of Sale|Sampling|Radio|Premiums|Coupons|Displays|Signs|Wholesale"
    "|Appearance|Taste|Odor|Aroma|Strength|Aftertaste|Texture|Draw|Overall Rating|Color|Mildness|Freshness|Quality"
)
HEADS: tuple[tuple[str, str], ...] = keys_of(
    number="Quantity|Qty|Count|Units|No.|Number|Base|N|Volume|Cases|Stores|Calls|Sales|Male|Female|Hours|Ordered"
    "|Shipped|Received|On Hand|Sample Size|Total|1st|2nd|3rd|4th",
    money="Amount|Cost|Unit Price|Price|Total|Budget|Actual|Balance|Net|Gross|1988|1989|1990|Estimate|To Date|Value"
    "|This Year|Last Year|Year to Date|Extension|Paid|Committed|Difference|Forecast|Increase",
    percent="%|Percent|Share|% Change|Rate|% of Total|Index|Recovery|Change|Recall|% Redeemed",
    decimal="Mean|Average|Std. Dev.|Result|Value|Weight|mg/g|ppm|Test|Control|Sample|Run 1|Run 2|Run 3|Initial|Final"
    "|Difference|Score|Weight (g)|Level|Limit|Spec.|Week 1|Week 2|Week 4|Low|High|Range|Found|Dose|ug/ml|Ratio|Target",
    date="Date|Due Date|Start|End|Issue Date|Shipped|Completed|Drop Date|On Sale|Space Closing",
    name="Name|Contact|Responsible|Attendee|Author|Approved By|By|Manager|Investigator|Person",
    company="Company|Supplier|Vendor|Store|Account|Publication|Institution|Outlet",
    code="Code|Number|Item No.|Account No.|Lot|Invoice No.|Catalog No.|Sample No.|Part No.|Ref.|Run|Job No.",
    phrase="Description|Item|Product|Brand|Material|Remarks|Type|Title|Comments|Status|Market|Test|Method"
    "|Purpose|Topic",
    yes="Yes/No|Approved|OK|Attended|Done",
)
