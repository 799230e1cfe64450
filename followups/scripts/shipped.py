"""The scripts that ship: the eight scenes of the library, in English and Chinese, some with a second wording to try.

Words that go to customers, not to the screen: they are kept per language and not in the catalogue.
"""

from __future__ import annotations

from typing import Final

from followups.scripts.shipped_form import ShippedScript
from followups.scripts.shipped_risk import SHIPPED_RISK

SHIPPED: Final[tuple[ShippedScript, ...]] = (
    ShippedScript(
        "first-thanks", "first_order", "email", "efi",
        {
            "A": {
                "en": (
                    "Thank you for your first order",
                    (
                        "Dear {contact|customer},\n\nthank you for your first order with {firm}[ of {last_order}]. "
                        "We know that trying somebody new takes trust, and we want to earn it.",
                        "[You have chosen {products}. ]Two tips for the start: check the goods on arrival and tell us "
                        "within a day if anything is not right; and keep the order number[ {order_number}] at hand, "
                        "it makes every question quick.",
                        "I will call you within three days to hear how it went. If anything comes up before, "
                        "just answer this message.\n\n{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "感谢您的首次订购",
                    (
                        "{contact|您好}：\n\n感谢您[于{last_order}]首次选择{firm}。"
                        "把第一单交给我们是一份信任，我们会用行动来回报。",
                        "[您选购的是{products}。]开始使用有两点提示：到货请当天验收，如有问题一天内告诉我们；"
                        "请留好订单号[{order_number}]，任何问题都能很快查清。",
                        "三天之内我会给您打电话，听听使用情况。若在此之前有任何需要，直接回复即可。\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "first-call", "first_order", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], this is {member} of {firm}. Thank you again for your first order.",
                        "Did everything arrive as you expected?[ How do {products} do in daily use?] "
                        "I ask so that the second order fits even better.",
                        "In a few days I will send you a short report: what you bought, what others like you buy next "
                        "to it, and how to save on delivery. When is a good time to go through it?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。再次感谢您的首次订购。",
                        "货物都按预期到了吗？[{products}用起来怎么样？]我想了解清楚，让下一单更合适。",
                        "过几天我会发您一份简短的报告：您买了什么、同类客户还会搭配什么、运费怎样更省。"
                        "什么时间方便一起看看？",
                    ),
                ),
            },
            "B": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. May I ask: what made you choose us for your first "
                        "order?",
                        "And what would have to happen for you to say in half a year that it was the right choice?[ "
                        "We can begin with {products}.]",
                        "I will turn that into a short report for you. Shall we go through it next week?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。想请教一下：当时是什么让您选了我们？",
                        "半年之后，怎样您会觉得这个选择是对的？[可以先从{products}说起。]",
                        "我会据此给您整理一份简短的报告。下周一起看看，好吗？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "value-report", "first_order", "email", "aida",
        {
            "A": {
                "en": (
                    "Your first week with {firm}: a short report",
                    (
                        "Dear {contact|customer},\n\nyour first order is a week old: time for a short look at what it "
                        "has brought.",
                        "[You bought {products}. ][Your order {order_number} was placed on {last_order}. ]Attached is "
                        "what it cost, how delivery went, and what similar firms order along with it.",
                        "[Customers like you often take {suggestion} next: it saves a second delivery. ]Ordering at a "
                        "fixed rhythm makes prices and dates easier to hold for both of us.",
                        "Shall I prepare a plan for the next three months? One word from you is enough.\n\n"
                        "{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "您在{firm}的第一周：简短报告",
                    (
                        "{contact|您好}：\n\n首单已满一周，正好简单看看它带来了什么。",
                        "[您购买了{products}。][订单{order_number}下于{last_order}。]附件是费用、交付情况，"
                        "以及同类企业会一起订购的产品。",
                        "[像您这样的客户接下来常会选{suggestion}，可以省下一次运费。]固定节奏订货，价格和交期双方都更稳。",
                        "要不要我为您做一份未来三个月的计划？您回一个字就行。\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "regular", "regular", "", "efi",
        {
            "A": {
                "en": (
                    "How are things going?",
                    (
                        "Good day[ {contact}], {member} of {firm}. I have some time for you and wanted to hear how "
                        "things are going.",
                        "[Your last order was on {last_order}; did everything fit? ][By your usual rhythm the next one "
                        "would come around {next_order}. ]If something in your plans has changed, I can set stock aside "
                        "in time.",
                        "What do you need from us in the next weeks, and by when?",
                    ),
                ),
                "zh-hans": (
                    "最近一切顺利吗",
                    (
                        "{contact|您好}，我是{firm}的{member}，想了解一下您最近的情况。",
                        "[上一单是{last_order}，都合适吗？][按您的节奏，下一单大约在{next_order}。]"
                        "计划若有变化，我可以提前为您备货。",
                        "接下来几周您需要我们准备什么？什么时候要？",
                    ),
                ),
            },
            "B": {
                "en": (
                    "One question about your plans",
                    (
                        "Good day[ {contact}], {member} of {firm}. One question: what is the one thing that would make "
                        "your next month easier?",
                        "[You usually take {category} from us. ]Often it is only the delivery day or the lot size, and "
                        "that we can change.",
                        "Tell me, and I will come back with a proposal within a day.",
                    ),
                ),
                "zh-hans": (
                    "想请教一个问题",
                    (
                        "{contact|您好}，我是{firm}的{member}。想请教：下个月做好哪一件事，您会最省心？",
                        "[您平时主要采购{category}，]很多时候只是交货日或批量的问题，这些都可以调整。",
                        "您告诉我，我一天之内给您方案。",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "complaint", "complaint", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. I am calling[ about {complaint}] to say once more "
                        "that we are sorry: this should not have happened to you.",
                        "It is solved on our side; I want to hear from you whether it is solved on yours. What we have "
                        "changed, so that it does not come again: …",
                        "Is there anything left open? If so, I note it now and tell you by when you hear from me.",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。[关于{complaint}，]再次向您致歉，这件事本不该发生。",
                        "我们这边已经处理好，想听您确认是否真的解决了。为了不再发生，我们做了这些改变：……",
                        "还有没有没处理好的地方？有的话我现在记下来，并告诉您什么时间给您答复。",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "dormant", "dormant", "", "efi",
        {
            "A": {
                "en": (
                    "We have not heard from you for a while",
                    (
                        "Good day[ {contact}], {member} of {firm}.[ We have worked together for {years}, and] I "
                        "noticed that we have not heard from you for a while.",
                        "[Your last order was on {last_order}. ]Has something changed on your side, or did we do "
                        "something that was not right? Either answer helps me.",
                        "If it only did not fit at the moment: what would have to be different for the next order?",
                    ),
                ),
                "zh-hans": (
                    "好久没有您的消息",
                    (
                        "{contact|您好}，我是{firm}的{member}。[我们合作已有{years}，]最近一段时间没有您的消息，很惦记。",
                        "[您上一单是{last_order}。]是您那边有变化，还是我们哪里没做好？无论哪种，都请直说。",
                        "如果只是眼下不合适：要怎样调整，您会愿意再下一单？",
                    ),
                ),
            },
            "B": {
                "en": (
                    "What has changed?",
                    (
                        "Good day[ {contact}], {member} of {firm}. May I ask straight away: what has changed since your "
                        "last order[, {days_silent} ago]?",
                        "[For {category} we have new lots and shorter delivery. ]I can hold the price of your last "
                        "order until the end of the month.",
                        "Shall I send you a proposal today?",
                    ),
                ),
                "zh-hans": (
                    "最近有什么变化吗",
                    (
                        "{contact|您好}，我是{firm}的{member}。想直接请教：自上一单以来[（{days_silent}前）]有什么变化吗？",
                        "[{category}我们有新的批次，交期也更短。]上一单的价格我可以为您保留到月底。",
                        "今天发您一份方案，好吗？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "new-product", "new_product", "sms", "plain",
        {
            "A": {
                "en": (
                    "",
                    (
                        "{firm}: {product|a new product} is here, and you are among the first to see it. "
                        "I will write to you in person within a day. {member}",
                    ),
                ),
                "zh-hans": ("", ("【{firm}】{product|新品}到了，您是首批体验客户。一天之内我会单独联系您。{member}",)),
            },
        },
    ),
    ShippedScript(
        "new-product-chat", "new_product", "wechat", "aida",
        {
            "A": {
                "en": (
                    "",
                    (
                        "{contact|Good day}, it is {member}. Yesterday's message was short, so here is the rest.",
                        "{product|The new product} does one thing that you will notice in daily work. "
                        "[It goes well with {category}, which you take already.]",
                        "As one of our best customers you may try it before everybody else, at no risk: "
                        "what does not fit goes back.",
                        "Shall I put a sample into your next delivery?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{member}。昨天的短信比较短，这里详细说说。",
                        "{product|这款新品}有一点您在日常使用中会马上感觉到。[它和您已经在用的{category}很搭。]",
                        "您是我们最好的客户之一，可以先于大家试用，没有风险：不合适就退回。",
                        "下次送货时给您放一份样品，好吗？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "renewal", "renewal", "", "aida",
        {
            "A": {
                "en": (
                    "Prices and quantities for the coming year",
                    (
                        "Good day[ {contact}], {member} of {firm}. Before the year's prices are fixed I would like to "
                        "go through them with you.",
                        "[You have been with us since {since}. ][{category} is most of what you take. ]With your "
                        "quantities of the last twelve months I have reckoned what a fixed agreement would bring.",
                        "It keeps price and delivery for you, also when material gets dearer, and gives you first call "
                        "on stock in the season.",
                        "When can we talk for twenty minutes? I bring the figures.",
                    ),
                ),
                "zh-hans": (
                    "明年的价格与用量",
                    (
                        "{contact|您好}，我是{firm}的{member}。新一年的价格确定之前，想先和您过一遍。",
                        "[您从{since}起就和我们合作。][您采购最多的是{category}。]我按您过去十二个月的用量，"
                        "算了一下签订固定协议能带来什么。",
                        "原料涨价时，价格和交期对您不变；旺季备货您优先。",
                        "什么时候方便聊二十分钟？数据我带过来。",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "festival", "festival", "", "plain",
        {
            "A": {
                "en": (
                    "With best wishes from {firm}",
                    (
                        "Dear {contact|customer},\n\nno offer this time, only our best wishes to you and your family, "
                        "and thanks for [{years} of ]good work together.\n\n{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "{firm}祝您节日快乐",
                    (
                        "{contact|您好}：\n\n这次不谈生意，只想祝您和家人节日快乐，也感谢您[{years}来]的信任。"
                        "\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "birthday", "festival", "", "plain",
        {
            "A": {
                "en": (
                    "Happy birthday from {firm}",
                    (
                        "Dear {contact|customer},\n\na very happy birthday to you. May the new year of your life bring "
                        "health and good days, and thank you for [{years} of ]good work together."
                        "\n\n{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "{firm}祝您生日快乐",
                    (
                        "{contact|您好}：\n\n祝您生日快乐，身体健康，诸事顺心，也感谢您[{years}来]的信任。"
                        "\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "anniversary", "festival", "", "plain",
        {
            "A": {
                "en": (
                    "A day to celebrate",
                    (
                        "Dear {contact|customer},\n\ntoday is a special day for {customer}. Congratulations from all of "
                        "us[, and thank you for {years} of working together]. We look forward to the next one."
                        "\n\n{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "值得庆贺的日子",
                    (
                        "{contact|您好}：\n\n今天是{customer}的好日子，{firm}全体同仁向您道贺[，感谢{years}来的合作]。"
                        "期待与您一起迎来下一个年头。\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "referral", "referral", "", "efi",
        {
            "A": {
                "en": (
                    "Do you know somebody whom we could help?",
                    (
                        "Good day[ {contact}], {member} of {firm}. [We have worked together for {years}. ]In your line "
                        "of business your word counts.",
                        "If you know somebody who struggles with what we have solved together, an introduction helps "
                        "three: them, you through our thanks for referrals, and us.",
                        "Is there one name that comes to mind? I will write to them only with your leave.",
                    ),
                ),
                "zh-hans": (
                    "您身边有需要帮助的朋友吗",
                    (
                        "{contact|您好}，我是{firm}的{member}。[我们合作已有{years}，]您在业内的话很有分量。",
                        "如果您认识的人正为我们一起解决过的问题发愁，引荐一下对三方都好：对方得到帮助，您得到转介绍的答谢，"
                        "我们多一位好客户。",
                        "您马上能想到哪一位？没有您同意，我不会联系对方。",
                    ),
                ),
            },
        },
    ),
    *SHIPPED_RISK,
)  # fmt: skip
