"""The scripts that ship for playbooks, when a customer is at risk: in English and Chinese, as shipped.py has the others."""

from __future__ import annotations

from typing import Final

from followups.scripts.shipped_form import ShippedScript

SHIPPED_RISK: Final[tuple[ShippedScript, ...]] = (
    ShippedScript(
        "visit-together", "regular", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. I have looked through the last months with you, and "
                        "something has changed. I would rather ask than guess.",
                        "May we come by, our after-sales and our technical colleague with me? An hour on site shows more "
                        "than ten calls, and you get our findings in writing.",
                        "Which day of the next two weeks suits you, and who of your side should be there?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。我看了最近几个月的往来，感觉有些变化，与其猜测，不如直接请教您。",
                        "能否让我带上售后和技术的同事一起登门？现场看一小时胜过十通电话，我们会把诊断结果书面给您。",
                        "接下来两周您哪天方便？贵方哪几位最好也在场？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "retention", "complaint", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. I have heard that you are thinking of leaving us. "
                        "First of all: I am sorry that it came to this.",
                        "I do not want to talk you round, I want to understand. What happened, what did it cost you, and "
                        "what have we promised and not kept?",
                        "I take this over myself. Within two days you have a plan from me, with a name and a date on "
                        "every point. When may we go through it?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。听说您在考虑不再与我们合作。首先，事情走到这一步，我向您道歉。",
                        "我不是来劝您的，我想弄清楚：到底发生了什么，给您造成了什么损失，我们答应了哪些却没有做到？",
                        "这件事由我亲自负责。两天之内您会收到我的补救方案，每一条都有负责人和日期。您什么时候方便一起过一遍？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "still-there", "dormant", "email", "aida",
        {
            "A": {
                "en": (
                    "A short word from {firm}",
                    (
                        "Dear {contact|customer},\n\nI have tried to reach you these days and do not want to be a nuisance.",
                        "I would only like to know that all is well with you[ and with {products}].",
                        "If something has gone wrong on our side, one line is enough: I look after it myself and answer the "
                        "same day.",
                        "Just reply to this mail, or tell me whom else I should ask.\n\n{member}, {firm}",
                    ),
                ),
                "zh-hans": (
                    "来自{firm}的一声问候",
                    (
                        "{contact|您好}：\n\n这几天联系过您，不想打扰。",
                        "只是想知道您那边一切是否顺利[，{products}用得怎么样]。",
                        "如果是我们哪里没做好，您只需回一句话，我亲自处理，当天答复。",
                        "直接回复这封邮件即可，或者告诉我还可以联系哪一位。\n\n{firm} {member}",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "special", "dormant", "wechat", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. We have worked together well[ for {years} years], and I "
                        "have set something aside for you.",
                        "It is only for customers like you, and only this month[; it goes well with {products}].",
                        "Shall I reserve it for you? A word is enough.",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。我们[{years}年来]一直合作愉快，我特意为您留了一份专属优惠。",
                        "只给像您这样的老客户，仅限本月[，和{products}正好搭配]。",
                        "要不要先给您留着？回一个字就行。",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "rival-offer", "renewal", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. It is right to compare, and I would rather help you with "
                        "it than hear of it afterwards.",
                        "What does the other offer say: price, delivery, terms, service? May I set ours beside it with "
                        "everything in, freight, returns, the time of your people?",
                        "Tomorrow you have both on one page. If theirs is better I will say so. Does the afternoon suit you?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。货比三家很正常，与其事后听说，我更愿意帮您一起比。",
                        "对方的条件是怎样的：价格、交期、账期、服务？我把我们的总成本也列出来，运费、退换、人力都算进去。",
                        "明天我把两边放在一页纸上给您。如果对方更好，我会直说。下午方便吗？",
                    ),
                ),
            },
        },
    ),
    ShippedScript(
        "win-back", "dormant", "phone", "efi",
        {
            "A": {
                "en": (
                    "",
                    (
                        "Good day[ {contact}], {member} of {firm}. It has been quiet between us[ since {last_order}], and I "
                        "miss working with you.",
                        "May I ask plainly what made you go? We have changed a few things since, and I would like to know "
                        "whether they are the right ones.",
                        "If you like, we begin small: one order on easy terms, and you judge us by it. May I send you the "
                        "offer?",
                    ),
                ),
                "zh-hans": (
                    "",
                    (
                        "{contact|您好}，我是{firm}的{member}。[自{last_order}以来]我们有一段时间没合作了，很想念和您共事的日子。",
                        "能否坦率地请教：当时是什么原因让您离开的？这段时间我们改进了一些地方，想听听是否改对了。",
                        "如果您愿意，我们从小单开始：一单优惠的条件，由您来评判。我把方案发给您，好吗？",
                    ),
                ),
            },
        },
    ),
)  # fmt: skip
