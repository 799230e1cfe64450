"""Oakfield Supplies: a gift and homeware wholesaler in Yorkshire. Made up, like everybody in it."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from config.demo import seasons
from config.demo.firm import (
    Article,
    Company,
    Firm,
    Foreign,
    Name,
    Person,
    PolicyStep,
    SavedFilter,
    Topic,
    Words,
    listed,
)
from tenants.permissions import Role

PEOPLE: Final = (
    Person("amy.clarke@oakfield.example", "Amy Clarke", Role.ACCOUNT_MANAGER, "North", weekly_capacity=32),
    Person("ben.hughes@oakfield.example", "Ben Hughes", Role.ACCOUNT_MANAGER, "North", weekly_capacity=28),
    Person("priya.nair@oakfield.example", "Priya Nair", Role.ACCOUNT_MANAGER, "South", weekly_capacity=30),
    Person("tom.ellis@oakfield.example", "Tom Ellis", Role.ACCOUNT_MANAGER, "South", weekly_capacity=24),
    Person("rachel.moore@oakfield.example", "Rachel Moore", Role.TEAM_LEAD, "North"),
    Person("mei.lawson@oakfield.example", "Mei Lawson", Role.TEAM_LEAD, "South", language="en"),
    Person("helen.ward@oakfield.example", "Helen Ward", Role.EXECUTIVE),
    Person("daniel.price@oakfield.example", "Daniel Price", Role.ADMIN),
    Person("webshop@oakfield.example", "Web shop", Role.INTEGRATION),
)

# Category: articles as (name, price in pence, pack).
_RANGE: Final[dict[str, tuple[tuple[str, int, int], ...]]] = {
    "Candles": (
        ("Soy candle, fig and cedar", 645, 6),
        ("Soy candle, sea salt", 645, 6),
        ("Pillar candle, ivory, 15 cm", 310, 12),
        ("Dinner candles, sage, pair", 185, 24),
        ("Tea lights, box of 50", 420, 12),
        ("Reed diffuser, white tea", 790, 6),
        ("Brass candlestick, low", 560, 8),
        ("Lantern, black metal, small", 925, 4),
    ),
    "Ceramics": (
        ("Stoneware mug, oat glaze", 390, 12),
        ("Stoneware mug, slate glaze", 390, 12),
        ("Pasta bowl, speckled", 520, 8),
        ("Cake stand, white", 1150, 4),
        ("Bud vase, sand", 345, 12),
        ("Jug, blue stripe, 1 l", 980, 6),
        ("Butter dish, cream", 740, 6),
        ("Salt pig, terracotta", 610, 6),
    ),
    "Textiles": (
        ("Wool throw, heather check", 2150, 4),
        ("Linen cushion, moss", 1280, 6),
        ("Cotton tea towel, botanical", 340, 24),
        ("Oven glove, ticking stripe", 480, 12),
        ("Door stop, tweed owl", 720, 8),
        ("Table runner, natural", 890, 8),
        ("Apron, navy", 960, 8),
        ("Hot water bottle, knit cover", 1120, 6),
    ),
    "Glassware": (
        ("Recycled tumbler, set of 4", 1090, 6),
        ("Storm jar, clip lid, 1 l", 430, 12),
        ("Hurricane lamp, clear", 1340, 4),
        ("Carafe, ribbed", 860, 6),
        ("Bottle vase, smoke", 520, 8),
        ("Wine glass, bubble, pair", 940, 6),
        ("Terrarium, small", 1180, 4),
        ("Hanging heart, cut glass", 265, 24),
    ),
    "Stationery": (
        ("Notebook, linen, A5", 410, 12),
        ("Wrapping paper, meadow, 3 m", 165, 36),
        ("Greeting card, hare", 95, 72),
        ("Greeting card, wren", 95, 72),
        ("Year planner, wall", 385, 24),
        ("Gift tags, kraft, 12", 120, 48),
        ("Pencil set, seven trees", 355, 24),
        ("Letter writing set", 575, 12),
    ),
    "Kitchen": (
        ("Olive-wood board, small", 1250, 4),
        ("Enamel mug, white", 295, 24),
        ("Enamel pie dish", 580, 12),
        ("Cast-iron trivet, bee", 460, 8),
        ("Measuring spoons, brass", 690, 8),
        ("Bread bin, sage", 2480, 2),
        ("Spice rack, oak", 1890, 2),
        ("Tea tin, robin", 375, 18),
    ),
    "Garden": (
        ("Bird feeder, acorn", 640, 8),
        ("Watering can, zinc, 2 l", 870, 6),
        ("Plant pot, aged clay, 14 cm", 285, 18),
        ("Herb markers, copper, 6", 520, 12),
        ("Garden twine in tin", 365, 18),
        ("Solar lights, string of 20", 995, 8),
        ("Bee house, bamboo", 745, 8),
        ("Trug, willow, medium", 1390, 4),
    ),
    "Christmas": (
        ("Bauble, felt robin", 215, 36),
        ("Bauble, mercury glass", 260, 36),
        ("Advent calendar, wooden", 1860, 3),
        ("Stocking, red tartan", 790, 8),
        ("Wreath, eucalyptus", 1240, 6),
        ("Crackers, kraft, box of 6", 870, 12),
        ("Fairy lights, warm, 10 m", 690, 12),
        ("Tree skirt, linen", 1580, 4),
    ),
    "Toys": (
        ("Wooden train, five pieces", 1190, 6),
        ("Soft rabbit, oatmeal", 880, 8),
        ("Stacking rings, rainbow", 640, 8),
        ("Tin spinning top", 430, 12),
        ("Finger puppets, farm", 520, 12),
        ("Jigsaw, harbour, 500", 760, 8),
        ("Skipping rope", 315, 18),
        ("Doll's tea set, tin", 990, 6),
    ),
    "Storage": (
        ("Seagrass basket, medium", 1120, 4),
        ("Wire basket, copper", 940, 4),
        ("Hook rail, oak, five", 1380, 4),
        ("Storage tin, set of 3", 1060, 6),
        ("Jewellery box, walnut", 1650, 3),
        ("Felt tray, grey", 485, 12),
        ("Bottle crate, pine", 1275, 3),
        ("Letter rack, metal", 595, 8),
    ),
}
ARTICLES: Final = tuple(
    Article(f"{category[:3].upper()}{number}", name, category, price, pack)
    for category, articles in _RANGE.items()
    for number, (name, price, pack) in enumerate(articles, start=101)
)

_FIRST: Final = listed(
    """
    Copper Harbour Willow Juniper Marlow Seaglass Thistle Foxglove Pebble Lantern Bramble Heron Linden
    Saltbox Orchard Magpie Clover Dovecote Fernhill Gable Hazel Ivy Kestrel Larkspur Meadow Nettle Otter Plum
    Quill Rowan
    """
)
_SECOND: Final = listed(
    "& Finch|& Rye|& Daughters|House|Lane|Yard|Kettle|Cottage|Gate|Barn|Row|& Moss|Corner|Mill|& Thread",
    separator="|",
)

_TRADES: Final = listed(
    "Gifts|Interiors|Home|Emporium|Living|Garden Centre|Trading|Lifestyle|Cards & Gifts|Homestore",
    separator="|",
)
_TOWNS: Final = listed(
    """
    York Harrogate Leeds Whitby Durham Hexham Kendal Chester Ludlow Bath Bristol Exeter Totnes Salisbury
    Winchester Lewes Rye Whitstable Norwich Ely Oxford Stamford Edinburgh Perth Cardiff
    """
)
_IRELAND: Final = ("Dublin", "Cork", "Galway")
_GIVEN: Final = listed(
    """
    Sarah James Olivia Peter Fiona Callum Hannah George Nadia Martin Ruth Declan Isla Simon Bethan Owen Leila
    Graham Chloe Stuart Marta Neil Joanna Kieran
    """
)
_FAMILY: Final = listed(
    """
    Whitaker Barlow Sutton Mercer Osei Lowe Fairley Dunn Hartley Quinn Roberts Penrose Shah Tully Aldridge
    Beck Crane Doherty Emery Frost Grant Hobbs Irving Kaur
    """
)


def _company(rng: Random) -> Company:
    first, second, trade = rng.choice(_FIRST), rng.choice(_SECOND), rng.choice(_TRADES)
    irish = rng.random() < 0.05
    name = f"{first} {second} {trade}"
    latin = re.sub("[^a-z]+", "-", name.lower())
    return Company(name, latin, rng.choice(_IRELAND if irish else _TOWNS), "Ireland" if irish else "United Kingdom")


def _contact(rng: Random) -> Name:
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    return Name(f"{given} {family}", f"{given}.{family}".lower())


def _phone(rng: Random) -> str:
    return f"+44 7700 900{rng.randrange(1_000):03}"


WORDS: Final = Words(
    titles=("Owner", "Buyer", "Head buyer", "Shop manager", "Director", "Merchandiser", "Accounts"),
    industries=("Gift shop", "Garden centre", "Department store", "Museum shop", "Online shop", "Florist", "Hotel"),
    tags=("Showroom", "Independent", "Online", "Price sensitive", "Tries new lines", "Christmas", "Reference", "Fair"),
    topics=(
        Topic(
            "Prices",
            ("Sent the new price list, pointed out the volume break", "Explained the carriage charge, accepted"),
            ("Asked for a better price on mugs by the pallet", "Says another supplier is 4% cheaper"),
        ),
        Topic(
            "New lines",
            ("Showed the spring collection, wants samples of the linen", "Offered first refusal on the tweed owls"),
            ("Asked whether the sage bread bin comes in larger", "Would like samples of the new candles"),
        ),
        Topic(
            "Delivery",
            ("Confirmed delivery for Tuesday morning", "Warned about the carrier's backlog, no harm done"),
            ("Asked where the second parcel is", "Wants deliveries before ten from now on"),
        ),
        Topic(
            "Needs",
            ("Talked through stock for the season, candles run low", "Plans a second shop, needs a display"),
            ("Opening a café corner, asks what we suggest",),
        ),
        Topic("Account", ("Sent the statement, agreed", "Reminder for two invoices"), ("Needs the invoice re-issued",)),
        Topic("Visit", ("Visited the shop, display looks good, cards sold out", "Met at the fair"), ("Invited us in",)),
    ),
    complaints={
        "Late delivery": ("Promised for Friday, came on Wednesday.", "Missed the weekend of the market."),
        "Damaged goods": ("Six mugs broken, box was not marked fragile.", "Cake stand arrived cracked."),
        "Wrong item": ("Got the slate mugs, ordered oat.",),
        "Short delivery": ("One carton missing out of four.", "Twelve cards short."),
        "Invoice error": ("Charged for carriage although over the limit.",),
        "Quality": ("Glaze crazes after the first wash.", "Candles burn down one side."),
    },
    no_answer=("No answer, will try again", "Left a voicemail", "No reply to the mail", "Shop closed today"),
    thanks="First order",
    thanks_note="Thanked for the first order, all arrived well",
    call_back="Complaint call-back",
    call_back_note="Replacement arrived, happy again",
    follow_up="Follow-up",
    follow_up_notes=(
        "All well, will reorder next week",
        "Talked about what sells, wants more of the ceramics",
        "Stock is fine until the end of the month",
        "Asked to meet at the spring fair",
    ),
    silence="Silence",
    silence_notes=(
        "Quiet season, stock is still high",
        "New buyer, is comparing suppliers",
        "Unhappy about the last delivery, will try once more",
        "Refurbishing the shop, back next month",
    ),
    promises=(
        "Promised: quote for the tweed owls",
        "Promised: samples of the linen",
        "Send the missing carton's number",
        "Agree the display for the second shop",
        "Answer on free carriage",
    ),
    notes={
        "growing": ("Second shop since last year, more to come.",),
        "fading": ("Has been seen with another supplier's candles.",),
        "silent": ("Buyer left, nobody knows us there any more.",),
        "complaining": ("Check the packing before anything goes out.",),
        "covered": ("Looked after by the other team.",),
        "closed": ("Shop closed, account settled.",),
        "never": ("Met at the spring fair, has not ordered yet.",),
    },
    pin_reason="Opens two more shops this spring: treat as the best until then.",
    evidence={
        "referral": ("Sent a friend who opens a shop in the next town.", "Recommended us in the buying group."),
        "endorsement": ("Quoted on our trade page, with a photo of the shelf.", "Spoke for us at the spring fair."),
        "benchmark": ("The shop others come to see before they order.",),
        "co_development": ("Tried the new wreath range with us, three rounds of notes.",),
        "cluster": ("Four shops in the same street followed.", "Leads the local retail association."),
    },
    causes=("Season", "Refurbishment", "Price", "Went to another supplier", "New buyer"),
    rivals=(
        "Asked us to match another supplier's mugs",
        "Had a rival's samples on the counter",
        "Says the others deliver free from 150",
    ),
    answers={
        "good": ("Always on time, lovely people", "The new lines sell themselves", "Sorted the same day"),
        "middling": ("Good range, slow answers", "Fine, a bit dear on carriage", "Sometimes out of stock"),
        "bad": ("Nobody calls any more", "Third broken delivery", "Waited two weeks for a replacement"),
    },
    views={
        "green": (
            ("project", "opens a second shop in spring, big order to come"),
            ("own_business", "moved shops, back next month"),
        ),
        "yellow": (("price", "price talk failed twice"), ("delivery", "unhappy with the delivery days")),
        "red": (("competitor", "new buyer brings her own supplier"), ("quality", "hurt by the open credit note")),
    },
)

OAKFIELD: Final = Firm(
    slug="oakfield",
    name="Oakfield Supplies",
    pack="callback",
    timezone="Europe/London",
    currency="GBP",
    country="GB",
    language="en",
    people=PEOPLE,
    articles=ARTICLES,
    words=WORDS,
    company=_company,
    contact=_contact,
    phone=_phone,
    season=seasons.gifts,
    season_of={"Christmas": (8, 9, 10, 11), "Garden": (3, 4, 5, 6, 7)},
    working_days=(0, 1, 2, 3, 4),
    channels={"email": 42, "phone": 40, "visit": 10, "store": 5, "sms": 3},
    order_money=42_000,
    terms_days=(30,),
    companions=(
        ("Stoneware mug, oat glaze", "Cake stand, white"),
        ("Greeting card, hare", "Gift tags, kraft, 12"),
        ("Plant pot, aged clay, 14 cm", "Watering can, zinc, 2 l"),
    ),
    segments=(
        SavedFilter("Gold and at risk", {"tier": ("gold",), "risk": ("any",)}),
        SavedFilter("Won back this season", {"stage": ("won_back",)}),
        SavedFilter("Big once, silent now", {"segment": ("011",)}),
    ),
    policy=(
        PolicyStep(
            "Autumn fair: keep more shops in silver; rules between single articles; surveys go out by themselves",
            {
                "tiers": {"silver_best": 45},
                "cross_sell": {"level": "product", "minimum_followed": 12},
                "surveys": {"sending": "automatic", "ask_promoters": "yes"},
                "programme": {"people": 60_000, "technology": 9_000, "marketing": 14_000, "margin": 35, "baseline": 50},
            },
        ),
        PolicyStep("Few of our shops lapse: warn from 30 % on", {"forecast": {"warn_percent": 30}}),
    ),
    prefixes={"customer": "OAK", "order": "", "shop": "W", "credit": "CR", "shop_customer": "web-"},
    foreign=Foreign("Ireland", "EUR", "0.8565"),
)
