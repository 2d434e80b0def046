"""Names, places and phrase parts from which `phrases` composes its values and sentences."""

from __future__ import annotations


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


FIRST_NAMES = _split(
    "James|Mary|Robert|Patricia|John|Linda|Michael|Barbara|William|Susan|David|Karen|Richard|Nancy|Joseph|Lisa|Thomas"
    "|Betty|Charles|Helen|Daniel|Sandra|Paul|Donna|Mark|Carol|George|Ruth|Kenneth|Sharon|Steven|Laura|Edward|Sarah"
    "|Brian|Deborah|Ronald|Jessica|Anthony|Shirley|Kevin|Cynthia|Jason|Angela|Gary|Melissa|Larry|Brenda|Frank|Amy"
    "|Scott|Anna|Eric|Rebecca|Stephen|Virginia|Andrew|Kathleen|Raymond|Pamela|Gregory|Martha|Walter|Debra|Peter|Janet"
)
LAST_NAMES = _split(
    "Smith|Johnson|Brown|Jones|Miller|Davis|Wilson|Anderson|Taylor|Thomas|Moore|Martin|Jackson|Thompson|White|Harris"
    "|Clark|Lewis|Robinson|Walker|Young|Allen|King|Wright|Scott|Hill|Green|Adams|Nelson|Baker|Hall|Campbell|Mitchell"
    "|Carter|Roberts|Phillips|Evans|Turner|Parker|Collins|Edwards|Stewart|Morris|Murphy|Cook|Rogers|Reed|Bailey|Bell"
    "|Cooper|Richardson|Cox|Howard|Ward|Peterson|Gray|Watson|Brooks|Kelly|Sanders|Price|Bennett|Wood|Barnes|Ross|Hughes"
    "|Henderson|Coleman|Jenkins|Perry|Powell|Long|Patterson|Butler|Simmons|Foster|Novak|Rivera|Schmidt|Weber|Keller"
    "|Lindqvist|O'Brien|McCarthy|Delgado|Fischer|Yamada|Okafor|Rossi|Dubois|Kowalski|Bergstrom|Van Dyke|Castellano"
)
COMPANY_FIRST = _split(
    "Northern|United|Allied|Summit|Pioneer|Crown|Atlas|Consolidated|Sterling|Liberty|Apex|Delta|Keystone|Premier|Global"
    "|Federal|Standard|Pacific|Atlantic|Midland|Hudson|Lakeside|Golden|Imperial|Metro|National|Eastern"
    "|Continental|Royal"
    "|Harbor|Evergreen|Monarch|Superior|Universal|Westfield|Riverside|Central|American|First|Eagle|Triangle|Vanguard"
)
COMPANY_LAST = _split(
    "Foods|Research|Laboratories|Printing|Advertising|Industries|Products|Chemical|Paper|Distributors|Supply|Associates"
    "|Marketing|Communications|Stores|Packaging|Plastics|Instruments|Insurance|Bank|University|Services|Group|Systems"
    "|Transport|Media|Publishing|Hospital|Institute|Testing|Consultants|Wholesale|Markets|Drug|Design|Steel|Textiles"
    "|Beverage|Flavors|Fragrances|Filters|Law Offices|News|Magazine|Weekly|Foundation|Council|Association|Brands"
)
DEPARTMENTS = _split(
    "Marketing|Research & Development|Sales|Accounting|Finance|Legal|Personnel|Purchasing|Production"
    "|Engineering|Quality"
    " Control|Public Relations|Law Department|Shipping|Marketing Research|Brand Management|Advertising|Analytical|Media"
    "|Human Resources|Data Processing|Corporate Affairs|Product Development|Operations|Manufacturing|Chemistry|Biology"
    "|Consumer Research|Market Research|R&D|Process Development|Toxicology|Tax|Field Sales|Corporate|Administration"
)
MONTHS = _split("January|February|March|April|May|June|July|August|September|October|November|December")
CITIES = tuple(
    (city.rsplit(" ", 1)[0], city.rsplit(" ", 1)[1])
    for city in _split(
        "New York NY|Chicago IL|Richmond VA|Louisville KY|Atlanta GA|Boston MA|Dallas TX|Cleveland OH|St. Louis MO"
        "|Denver CO|Phoenix AZ|Seattle WA|Raleigh NC|Durham NC|Memphis TN|Detroit MI|Washington DC|Miami FL|Newark NJ"
        "|Hartford CT|Kansas City MO|Minneapolis MN|Pittsburgh PA|Baltimore MD|Houston TX|San Diego CA|Portland OR"
        "|Cincinnati OH|Omaha NE|Albany NY|Buffalo NY|Columbus OH|Macon GA|Tampa FL|Los Angeles CA|Charlotte NC"
    )
)
STREETS = _split(
    "Main Street|Park Avenue|Broad St.|Third Avenue|West 42nd Street|Oak Road|Commerce Drive|Industrial Blvd."
    "|Church St."
    "|Market Street|Maple Avenue|Lexington Ave.|Hillcrest Road|Elm Street|Washington Blvd.|State Street|Mill Road"
    "|Jefferson Avenue|Peachtree St., N.E.|Route 9|K Street, N.W.|Fifth Avenue|Technology Parkway|College Road"
    "|River Dr."
)
POSITIONS = _split(
    "Director|Vice President|Manager|Senior Chemist|Brand Manager|Sales Representative|Secretary|Analyst"
    "|Attorney|Engineer"
    "|Professor of Medicine|Division Manager|Research Associate|Supervisor|Treasurer|Account Executive|Area Manager"
    "|Director of Research|General Counsel|Technician|President|Field Manager|Product Manager|Assistant Professor"
)
PHRASE_ADJECTIVES = _split(
    "new|regular|light|full|standard|white|blue|red|low|high|special|retail|national|local|direct|test|final"
    "|annual|free"
    "|consumer|commercial|experimental|current|menthol|soft|extra|premium|mixed|natural|dry|liquid|clear|heavy"
    "|small|large"
    "|monthly|revised|proposed|joint|medical|technical|public|general|internal|foreign|domestic|plain|printed|two-color"
)
PHRASE_NOUNS = _split(
    "sample|carton|product|program|study|report|coupon|display|survey|filter|package|blend|panel|label|machine|material"
    "|meeting|project|budget|system|market|store|paper|promotion|mailing|research|analysis|advertising|equipment|method"
    "|evaluation|questionnaire|shipment|test|design|data|concept|campaign|insert|contract|publication|flavor|additive"
    "|tissue|extract|smoke|residue|solution|brand|line|supplies|services|conference|seminar|travel|newspaper|magazine"
)
PHRASE_TAILS = _split(
    "for review|in stores|with coupon|per carton|on request|for consumers|by mail|in test markets|with filter"
    "|of samples"
    "|for export|to be determined|for 1990|in 12 weeks|at plant 2|as requested|for field use|only|per unit|with sleeve"
    "|in two phases|under contract|from stock|for analysis|each month|versus control|wave 2|phase III|in duplicate"
)
SHORT_REMARKS = _split(
    "none|see attached|as above|to be determined|same as last year|not available|pending|on file|approved|in progress"
    "|per your request|no change|same|none as yet|attached|completed|open|not known|will advise|as needed"
    "|see below|ASAP"
    "|not required|all markets|various|good|fair|normal|under review|on hold|no comment|O.K.|per agreement|unknown"
)
OBJECTS = _split(
    "the samples|the report|this project|the product|the enclosed form|the test|the results|all expenses|the material"
    "|the program|the attached schedule|our sales force|the new package|the budget|the questionnaire|the study"
    "|the panel"
    "|the data|the invoice|this request|the agency|the supplier|the promotion|retail acceptance"
    "|consumer response|the cost"
    "|the second shipment|each account|the department|the laboratory|the committee|the revised estimate|the blend"
)
VERBS = _split(
    "will be sent|should be returned|was completed|has been approved|is required|will be reviewed|was received"
    "|is expected"
    "|must be submitted|has been delayed|was discussed|will be distributed|is being prepared|should be charged"
    "|was shipped"
    "|showed no difference|was well received|exceeded the estimate|may be changed|is to be tested|was below target"
    "|remains unchanged|was rated higher|will be tested|has been slow|appears satisfactory|should be considered"
)
SENTENCE_ENDS = _split(
    "before the end of the month|to the department listed above|as soon as possible"
    "|within thirty days of receipt|in all"
    " regions|by the project leader|with the original invoice|for further analysis|according to the standard procedure"
    "|at the next meeting|in the second quarter|because of higher prices|compared with the control"
    "|without written consent"
    "|on the reverse side of this form|for approval|by the research group|after two weeks of storage|in most stores"
    "|unless otherwise noted|and will be charged to the account shown|under normal conditions|in the test markets"
    "|at no additional cost|to the address below|with the exception of two accounts|during the period covered"
)
SENTENCE_STARTS = _split(
    "Please note that|We believe that|It is understood that|If you have any questions,|As discussed,|In our opinion"
    "|Please be advised that|This is to confirm that|For your information,|We have found that|To date,|In addition,"
    "|If approved,|As of this date,|It appears that|Please make sure that|According to our records,|At this time"
)
INSTRUCTIONS = _split(
    "Please print or type.|Complete all items and return to the address below.|Use additional sheets if necessary."
    "|Retain one copy for your files.|Send original to Accounting.|Attach copies of all receipts.|See reverse side."
    "|Please return this form by the date shown.|Do not write below this line.|Submit in triplicate.|(Please Print)"
    "|This form must be signed by the department head.|For additional information call the number above."
    "|Check the appropriate box.|Print name and title.|All information will be kept confidential.|(Do not detach)"
    "|This message is meant for the person or office named above, and for nobody else who may come to see it."
    "|Did these pages reach you by mistake? Please call the sender at once, and do not pass on or keep copies."
    "|If you do not receive all pages, please call the sender immediately.|Please call if transmission is incomplete."
    "|Note: forms that are not complete will be returned to the originator.|* Includes estimated charges."
    "|** Based on a sample of all respondents.|Distribution: White - File; Yellow - Originator; Pink - Purchasing"
    "|I certify that the above information is correct to the best of my knowledge.|Thank you for your cooperation."
)
