"""The words of forms of other trades: keys with the kinds of their values, titles, section titles, options, items.

Written by hand like `vocabulary`; the kinds name functions of `phrases.VALUES`.
"""

from __future__ import annotations

from pipelines.datasets.synthetic_forms.vocabulary import keys_of, split

KEYS: dict[str, tuple[tuple[str, str], ...]] = {
    "insurance": keys_of(
        name="Insured|Policyholder|Claimant|Name of Insured|Driver|Agent|Beneficiary|Adjuster|Witness|Broker",
        identifier="Policy No.|Policy Number|Claim No.|Claim Number|Member ID|Group No.|Certificate No.|Agent Code"
        "|Police Report No.|Our Reference",
        day="Date of Loss|Effective Date|Expiration Date|Date of Birth|Date Reported|Policy Period|Renewal Date|To",
        amount="Sum Insured|Premium|Deductible|Limit|Coverage Amount|Total Premium|Amount Claimed|Estimate of Damage"
        "|Repair Cost|Each Occurrence|Liability|Reserve",
        phrase="Type of Loss|Cause of Loss|Coverage|Type of Policy|Relationship|Cover Required|Property Damaged",
        vehicle="Vehicle|Make and Model|Insured Vehicle|Other Vehicle",
        plate="Registration No.|License Plate|VIN",
        address="Address|Place of Accident|Location of Risk|Garaging Address|Insured Address",
        phone="Phone|Daytime Phone|Mobile|Telephone Number",
        yes="Were the police notified?|Anyone injured?|Previous claims|Smoker|Is the vehicle drivable?|Mortgage",
        sentence="Description of Accident|Describe how the loss occurred|Description of Damage|Remarks|Exclusions",
    ),
    "health": keys_of(
        name="Patient Name|Physician|Referring Physician|Guardian|Next of Kin|Emergency Contact|Nurse|Surname",
        day="Date of Birth|DOB|Admission Date|Discharge Date|Date of Service|Last Visit|Date of Injury|Date of Test",
        identifier="Patient ID|MRN|Medical Record No.|Insurance ID|NHS No.|Case No.|Chart No.|Lab No.|Room",
        vital="Blood Pressure|BP|Temperature|Pulse|Weight|Height|Heart Rate|SpO2",
        dose="Medication|Current Medications|Prescription|Dosage|Drug|Rx",
        complaint="Diagnosis|Chief Complaint|Reason for Visit|Primary Diagnosis|Symptoms|Reason for Referral|Injury",
        yes="Allergies|Diabetes|Pregnant|Smoker|Hypertension|Asthma|Surgery in the last year|Consent given|Vaccinated",
        phrase="Sex|Blood Group|Ward|Occupation|Procedure|Specimen|Marital Status|Insurance Carrier|Department",
        phone="Telephone|Home Phone|Contact No.|Cell",
        sentence="Medical History|Findings|Treatment Plan|Clinical Notes|Family History|Instructions|Impression"
        "|Recommendations",
        address="Address|Home Address|Pharmacy",
    ),
    "customs": keys_of(
        company="Exporter|Importer|Consignee|Consignor|Declarant|Carrier|Manufacturer|Notify Party|Forwarding Agent",
        country="Country of Origin|Country of Destination|Country of Export|Nationality|Origin|Country of Dispatch",
        port="Port of Loading|Port of Discharge|Place of Delivery|Office of Entry|Port of Entry|Final Destination",
        tariff="HS Code|Commodity Code|Tariff No.|Tariff Heading",
        container="Container No.|Marks and Numbers|Seal No.",
        identifier="Invoice No.|Declaration No.|MRN|B/L No.|AWB No.|EORI No.|Licence No.|Entry No.|Voyage No.",
        amount="Customs Value|Invoice Value|Duty|VAT|Freight|Insurance|Statistical Value|Total Value|CIF Value",
        measure="Gross Weight|Net Weight|Gross Mass (kg)|Volume|Measurement",
        goods="Description of Goods|Contents|Goods|Number and Kind of Packages|Nature of Goods",
        number="Packages|No. of Packages|Total Packages|Pieces|Quantity|Items",
        day="Date of Export|Arrival Date|Date of Issue|ETA|ETD|Date",
        phrase="Vessel|Mode of Transport|Incoterms|Procedure|Terms of Delivery|Preference|Reason for Export|Type",
    ),
    "tax": keys_of(
        name="Taxpayer|Name|Spouse|Preparer|Name of Dependent|Last Name|First Name and Initial|Authorised Person",
        tax_number="Taxpayer ID|Tax No.|SSN|EIN|VAT No.|TIN|Social Security Number|Employer ID|UTR",
        amount="Wages|Gross Income|Taxable Income|Deductions|Tax Withheld|Total Tax|Refund|Amount Owed|Interest"
        "|Dividends|Net Profit|Allowance|Exemptions|Estimated Tax Payments|Credit|Adjusted Gross Income|Penalty"
        "|Turnover|Input Tax|Output Tax|Balance Due",
        day="Tax Year|Period Ending|Date Filed|Due Date|Tax Period|Date",
        phrase="Filing Status|Occupation|Type of Return|Tax Office|Residence Status|Source of Income|Type of Business",
        number="Dependents|No. of Exemptions|Number of Employees|Line|Schedule",
        percent="Tax Rate|Rate|Withholding Rate|Share",
        yes="Resident|Amended return|Self-employed|Claimed as dependent|Paid preparer",
        address="Home Address|Business Address|Mailing Address|Present Address",
        bank_account="Account for Refund|Routing Number|Bank Account",
    ),
    "human resources": keys_of(
        name="Employee Name|Manager|Applicant|Supervisor|Reference|Approved By|HR Representative|Interviewer|Candidate",
        identifier="Employee ID|Personnel No.|Badge No.|Position No.|Requisition No.|Staff No.",
        phrase="Job Title|Position Applied For|Department|Shift|Reason for Leaving|Type of Leave|Employment Type|Grade"
        "|Skills|Highest Qualification|Languages|Location|Work Schedule|Reporting To",
        day="Start Date|End Date|Hire Date|Last Working Day|Leave From|Leave To|Date of Birth|Available From|Date"
        "|Termination Date",
        amount="Base Salary|Hourly Rate|Bonus|Gross Pay|Net Pay|Salary Expected|Allowances|Deductions|Overtime Pay",
        number="Days Requested|Hours|Vacation Days|Balance|Years of Experience|Days Remaining|Overtime|Rating",
        email="E-mail|Email Address|Contact E-mail",
        phone="Phone|Mobile|Extension|Emergency Phone",
        company="Previous Employer|Employer|University|School|Training Provider",
        sentence="Duties|Goals|Strengths|Areas for Improvement|Comments|Reason|Achievements|Employee Comments",
        yes="Full-time|Eligible for rehire|Driving licence|Background check|Work permit|Union member",
    ),
    "bank": keys_of(
        name="Account Holder|Applicant|Beneficiary|Co-Applicant|Guarantor|Remitter|Payee|Cardholder",
        bank_account="Account No.|IBAN|Account Number|Debit Account|Credit Account|Card Number|Beneficiary Account",
        identifier="BIC|SWIFT Code|Sort Code|Reference|Customer No.|Loan No.|Mandate Reference|Transaction ID",
        amount="Amount|Loan Amount|Monthly Payment|Opening Balance|Closing Balance|Credit Limit|Fees|Monthly Income"
        "|Overdraft Limit|Down Payment|Total Debits|Total Credits|Minimum Payment|Rent or Mortgage",
        percent="Interest Rate|APR|Rate",
        day="Value Date|Statement Date|Maturity Date|Date|Payment Due|Opening Date|Execution Date|Due Date",
        phrase="Account Type|Purpose of Loan|Currency|Payment Details|Employment Status|Branch|Card Type|Details",
        company="Bank|Beneficiary Bank|Employer|Correspondent Bank|Institution",
        number="Term (months)|Instalments|Number of Payments|Cheque No.",
        address="Address|Branch Address|Residential Address|Beneficiary Address",
        email="E-mail|Email",
        phone="Phone|Mobile No.|Home Phone",
    ),
    "utilities": keys_of(
        name="Customer Name|Account Holder|Customer|Contact Person|Tenant|Installer|Technician|Owner",
        identifier="Account Number|Customer No.|Meter No.|Contract No.|Invoice No.|Service ID|Meter Number|Work Order",
        reading="Previous Reading|Current Reading|Consumption|Usage|Meter Reading|Average Daily Use|Units Used",
        day="Bill Date|Due Date|Billing Period|Read Date|Next Reading|Connection Date|Moving Date|Invoice Date",
        amount="Amount Due|Previous Balance|Current Charges|Total Amount Due|Payment Received|Late Fee|Service Charge"
        "|Taxes|Deposit|Standing Charge|Balance Forward|Energy Charge|Past Due",
        address="Service Address|Billing Address|Supply Address|New Address|Mailing Address",
        phrase="Tariff|Rate Class|Service Type|Plan|Supply Voltage|Heating Type|Dwelling Type|Payment Method",
        phone="Customer Service|Phone|Outage Line|Telephone",
        email="E-mail|Email for e-bill",
        bank_account="Direct Debit Account|IBAN",
        yes="Autopay|Paperless billing|Life support equipment|Access to meter",
    ),
    "property": keys_of(
        name="Landlord|Tenant|Buyer|Seller|Owner|Agent|Lessee|Lessor|Inspector|Guarantor|Occupant",
        address="Property Address|Premises|Address|Current Address|Forwarding Address",
        amount="Monthly Rent|Purchase Price|Security Deposit|Assessed Value|Maintenance Fee|Commission|Earnest Money",
        day="Lease Start|Lease End|Closing Date|Move-in Date|Inspection Date|Date",
        phrase="Property Type|Condition|Roof|Heating|Zoning|Parking|Flooring|Kitchen|Exterior|Use of Premises",
        number="Bedrooms|Bathrooms|Year Built|Occupants|Floor|Units|Lot No.|Keys Issued",
        measure="Living Area|Lot Size|Floor Area",
        identifier="Parcel No.|Title No.|Unit No.|Listing No.|Permit No.|Deed No.",
        yes="Pets|Furnished|Smoking allowed|Utilities included|Garage",
        sentence="Special Conditions|Defects|Legal Description|Repairs Needed|Notes",
        email="E-mail",
        phone="Telephone|Mobile",
    ),
    "education": keys_of(
        name="Student Name|Parent/Guardian|Teacher|Advisor|Principal|Instructor|Family Name|Given Names|Referee",
        identifier="Student ID|Course Code|Enrolment No.|Passport No.|Registration No.|Class No.|Locker No.",
        phrase="Programme|Course|Major|Faculty|Semester|Degree Sought|School|Subject|Level|Field of Study|Grade|Class",
        day="Date of Birth|Start Date|Graduation Date|Term Starts|Exam Date|Date of Admission|Date",
        number="Credits|Year|Age|Score|GPA|Absences|Hours per Week|Marks|Attendance",
        amount="Tuition Fee|Scholarship|Registration Fee|Material Fee|Fees Paid|Deposit",
        country="Nationality|Country of Birth|Country|Citizenship",
        email="E-mail|Student Email|Parent Email",
        phone="Telephone|Mobile|Emergency No.",
        address="Permanent Address|Term Address|School Address|Home Address",
        sentence="Reason for Application|Teacher's Comments|Learning Goals|Remarks|Extracurricular Activities",
        yes="First-time applicant|Transport required|Special needs|Accommodation needed|Transfer student",
    ),
    "travel": keys_of(
        name="Passenger|Guest Name|Traveller|Booked By|Lead Passenger|Driver|Surname|Given Name|Host",
        identifier="Booking Ref.|Confirmation No.|Ticket No.|Flight No.|Passport No.|Reservation No.|Visa No.|Room No."
        "|Rental Agreement No.|Frequent Flyer No.",
        day="Arrival|Departure|Check-in|Check-out|Date of Travel|Return Date|Date of Issue|Pick-up Date|Valid Until",
        time="Departure Time|Arrival Time|Pick-up Time|Boarding",
        port="From|To|Destination|Airport|Place of Departure",
        amount="Room Rate|Total Fare|Per Diem|Taxes & Fees|Deposit Paid|Amount Claimed|Daily Rate|Total Charge|Fuel",
        number="Nights|Adults|Children|Guests|Bags|Mileage Out|Mileage In|Days|Seats",
        phrase="Class|Purpose of Trip|Room Type|Meal Plan|Car Group|Seat|Special Requests|Mode of Travel|Baggage",
        company="Hotel|Airline|Travel Agency|Company|Rental Station",
        country="Nationality|Country of Residence|Destination Country",
        email="E-mail",
        phone="Telephone|Mobile",
    ),
}
"""Keys and the kinds of their values, by trade."""

TITLES: dict[str, tuple[str, ...]] = {
    "insurance": split(
        "Claim Form|Automobile Loss Notice|Certificate of Insurance|Application for Insurance|Accident Report"
        "|Property Loss Claim|Policy Schedule|Proof of Loss|Proposal Form|Change of Beneficiary|Declarations Page"
    ),
    "health": split(
        "Patient Registration|Medical History|Discharge Summary|Referral Form|Laboratory Report|Consent for Treatment"
        "|Prescription|Health Questionnaire|Immunization Record|Admission Form|Medical Claim|Vital Signs Record"
    ),
    "customs": split(
        "Customs Declaration|Commercial Invoice|Certificate of Origin|Packing List|Import Declaration|Bill of Lading"
        "|Air Waybill|Export Declaration|Single Administrative Document|Pro Forma Invoice|Dangerous Goods Note"
    ),
    "tax": split(
        "Individual Income Tax Return|Wage and Tax Statement|VAT Return|Withholding Certificate|Property Tax Bill"
        "|Tax Exemption Certificate|Quarterly Return|Assessment Notice|Request for Extension|Schedule A"
    ),
    "human resources": split(
        "Application for Employment|Leave Request|Performance Review|Pay Slip|Exit Interview|New Hire Form|Time Sheet"
        "|Overtime Request|Job Description|Payroll Deduction|Training Record|Personnel Action Form|Vacation Request"
    ),
    "bank": split(
        "Loan Application|Account Opening Form|Wire Transfer Request|Account Statement|Direct Debit Mandate"
        "|Credit Application|Deposit Slip|Change of Address|Credit Card Application|Standing Order|Remittance Advice"
    ),
    "utilities": split(
        "Electricity Bill|Water Bill|Application for Service|Meter Reading Card|Gas Statement|Move-in Notice"
        "|Service Agreement|Disconnection Notice|Monthly Statement|Connection Request|Telephone Bill"
    ),
    "property": split(
        "Rental Application|Lease Agreement|Inspection Report|Offer to Purchase|Move-in Checklist|Maintenance Request"
        "|Listing Agreement|Building Permit Application|Handover Protocol|Rent Receipt|Notice to Vacate"
    ),
    "education": split(
        "Enrolment Form|Transcript of Records|Student Information|Scholarship Application|Report Card|Absence Note"
        "|Course Registration|Application for Admission|Permission Slip|Course Evaluation|Transfer Request"
    ),
    "travel": split(
        "Travel Expense Claim|Hotel Registration|Booking Confirmation|Visa Application|Car Rental Agreement|Itinerary"
        "|Travel Request|Baggage Claim|Reservation Form|Boarding Card|Trip Report|Mileage Log"
    ),
}

SECTION_TITLES: dict[str, tuple[str, ...]] = {
    "insurance": split(
        "Insured|Coverage|Details of Loss|Vehicle|Other Party|Witnesses|Policy Information|Declaration|Limits|Injuries"
    ),
    "health": split(
        "Patient|Patient Details|Insurance|Medical History|Vital Signs|Medications|Allergies|Consent|Vaccines"
    ),
    "customs": split("Exporter|Consignee|Goods|Transport|Valuation|Declaration|Shipment Details|Duties and Taxes"),
    "tax": split("Income|Deductions|Exemptions|Refund|Filing Status|Payments|Tax and Credits|Sign Here|Dependents"),
    "human resources": split(
        "Personal Details|Employment History|Education|References|Leave|Earnings|Deductions|Appraisal|Approvals|Skills"
    ),
    "bank": split(
        "Account Holder|Beneficiary|Payment Details|Income|Employment|Loan Details|Transactions|Declaration|Summary"
    ),
    "utilities": split(
        "Account Summary|Meter Readings|Charges|Service Address|Payment Slip|Usage|How to Pay|Contact Us|Messages"
    ),
    "property": split("Tenant|Premises|Rent|Rooms|Parties|Condition|Keys|Terms|Occupants|Property|Deposit"),
    "education": split(
        "Student|Parents|Courses|Previous Education|Emergency Contact|Fees|Grades|Languages|Declaration|Subjects"
    ),
    "travel": split("Traveller|Flight|Hotel|Expenses|Itinerary|Payment|Guest|Room|Rental|Transport|Allowance"),
}

CHECK_LABELS = split(
    "Mr|Mrs|Ms|Single|Married|Divorced|Widowed|Male|Female|Permanent|Temporary|Owner|Tenant|Self-employed|Employed|Retired"
    "|Student|Cash|Cheque|Card|Direct Debit|Bank Transfer|Visa|Mastercard|Yes|No|Annual Leave|Sick Leave|Unpaid Leave"
    "|Air|Sea|Road|Rail|Gift|Sample|Commercial|Electricity|Gas|Water|Monthly|Quarterly|Annually|New|Renewal|Fire|Theft"
    "|Collision|Flood|Savings|Current|Business|Asthma|Diabetes|Heart disease|Epilepsy|Cancer|None|Other|Good|Fair|Poor"
    "|I agree|By e-mail|By post|By phone|Full-time|Part-time|Day|Night|First|Economy|Prepaid|Collect"
)
ITEMS = split(
    "Hex bolt M8|Printer paper A4|Consulting services|Labour|Delivery charge|Toner cartridge|Office chair|Desk lamp"
    "|Coffee|Sandwich|Mineral water|Milk 1L|Bread|Cheese|Apples|Chicken wrap|Orange juice|Espresso|Salad|Soup"
    "|Software licence|Hosting, monthly|Domain renewal|Site visit|Hourly rate, senior|Installation|Brake pads"
    "|Engine oil 5W-30|Oil filter|Tyre 205/55|Cable, 10 m|LED lamp|Switch|Pipe 22 mm|Valve|Gloves, box|Cleaning service"
    "|Translation, per page|Design work|Photocopies|Postage|Packaging|Storage fee|Room, 2 nights|Breakfast|Parking|Taxi"
    "|Steel sheet 2 mm|Timber, planed|Fence panel|Garden hose|Screws, box of 200|Battery AA|Notebook A5"
)
"""Articles and services of invoices and receipts."""
