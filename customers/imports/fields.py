"""The one table of what files may bring: per kind of file its fields, their types and what columns are called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Channel, Complaint, Contact, Growth, Import, Interaction, Order, SurveyResponse, TouchKind
from customers.rules import orders as rules

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Label = str | _StrPromise


@dataclass(frozen=True)
class Text:
    """Words, at most `max` characters."""

    max: int


@dataclass(frozen=True)
class Email(Text):
    max: int = 254


@dataclass(frozen=True)
class MemberEmail(Email):
    """The address of an active member of the tenant."""


@dataclass(frozen=True)
class Currency(Text):
    max: int = 3


@dataclass(frozen=True)
class Words(Text):
    """Several words with commas or semicolons between them, each at most `each` characters."""

    each: int = 40


@dataclass(frozen=True)
class Number:
    """An exact decimal, kept as points of 10^-`places`; smaller than `limit` in size."""

    places: int
    limit: Decimal
    positive: bool = False


@dataclass(frozen=True)
class Moment:
    """A date with a time. Without a zone it is the tenant's local time."""


@dataclass(frozen=True)
class Day:
    """A date; a time beside it is left out."""


@dataclass(frozen=True)
class YesNo:
    """Yes or no."""


@dataclass(frozen=True)
class Choice:
    """One of a few values, which may be written as the value itself or as one of its other names."""

    names: Mapping[str, tuple[str, ...]]


Type = Text | Number | Moment | Day | YesNo | Choice

YES: Final = ("yes", "y", "true", "1", "是", "有", "对")
NO: Final = ("no", "n", "false", "0", "否", "无", "没有")


@dataclass(frozen=True)
class Field:
    """One thing that a file of a kind can say; `headers` are other names that its column may bear."""

    name: str
    label: Label
    type: Type
    required: bool = False
    headers: tuple[str, ...] = ()


_CHANNELS = Choice(
    {
        Channel.PHONE: ("call", "telephone", "tel", "电话"),
        Channel.VISIT: ("meeting", "拜访", "上门", "面谈"),
        Channel.WECHAT: ("weixin", "微信", "企业微信"),
        Channel.SMS: ("text", "text message", "短信"),
        Channel.EMAIL: ("mail", "e-mail", "邮件", "邮箱", "电子邮件"),
        Channel.APP: (),
        Channel.STORE: ("shop", "门店", "到店"),
    }
)
_ORDER_KINDS = Choice(
    {
        Order.Kind.ORDER: ("invoice", "sale", "订单", "销售"),
        Order.Kind.CREDIT_NOTE: ("credit note", "credit", "return", "refund", "贷项", "贷记单", "退货", "退款", "红字"),
    }
)
_STATUSES = Choice(
    {
        Order.Status.PLACED: ("open", "done", "completed", "已下单", "已完成", "有效"),
        Order.Status.CANCELLED: ("canceled", "void", "已取消", "取消", "作废"),
    }
)
_TOUCH_KINDS = Choice(
    {
        TouchKind.DEEP_TALK: ("deep talk", "深度沟通", "深访"),
        TouchKind.LIGHT_TOUCH: ("light touch", "touch", "轻触达", "日常联系"),
        TouchKind.REVIEW: ("review meeting", "回顾会", "复盘会议"),
        TouchKind.REPORT: ("报告",),
        TouchKind.MESSAGE: ("automatic message", "自动消息", "群发"),
    }
)
_DIRECTIONS = Choice(
    {
        Interaction.Direction.OUTBOUND: ("out", "outgoing", "呼出", "去电", "联系客户"),
        Interaction.Direction.INBOUND: ("in", "incoming", "呼入", "来电", "客户来访"),
    }
)
_LEAVINGS = Choice(
    {
        Interaction.Leaving.CONSIDERS: ("considering", "considers another supplier", "考虑其他供应商", "比价换供应商"),
        Interaction.Leaving.BROKE_OFF: ("broke off", "broken off", "终止合作", "中断合作", "停止合作"),
    }
)
_CONSENTS = Choice(
    {
        Contact.Consent.UNKNOWN: ("not asked", "未询问", "未知"),
        Contact.Consent.GIVEN: ("yes", "是", "同意", "已同意"),
        Contact.Consent.WITHDRAWN: ("no", "否", "撤回", "已撤回", "不同意"),
    }
)
_SEVERITIES = Choice(
    {
        Complaint.Severity.MINOR: ("low", "轻微", "低"),
        Complaint.Severity.NORMAL: ("medium", "一般", "普通", "中"),
        Complaint.Severity.SERIOUS: ("severe", "high", "major", "严重", "高"),
    }
)
_SURVEYS = Choice(
    {
        SurveyResponse.Kind.NPS: ("net promoter score", "recommendation", "净推荐值", "推荐意愿"),
        SurveyResponse.Kind.CSAT: ("customer satisfaction", "satisfaction", "满意度", "客户满意度"),
    }
)
_POSITIONS = Choice(
    {
        "1": ("marginal", "落后"),
        "2": ("below average", "跟随"),
        "3": ("average", "中等", "一般"),
        "4": ("strong", "领先"),
        "5": ("leader", "龙头", "领军"),
    }
)
_GROWTH = Choice({Growth.LOW: ("低",), Growth.MEDIUM: ("middle", "中"), Growth.HIGH: ("高",)})

_CUSTOMER = Field(
    "customer", _("Customer number"), Text(100), required=True,
    headers=("customer id", "customer no", "customer code", "client", "account", "account number",
             "客户编号", "客户编码", "客户代码", "客户号", "客户id", "客户"),
)  # fmt: skip
_COUNTRY = Field("country", _("Country"), Text(60), headers=("国家", "国家地区", "国别"))
_EXTERNAL_ID = Field("external_id", _("Number in the other system"), Text(100), headers=("id", "编号", "记录编号"))

FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    Import.Kind.ORDERS: (
        Field("order", _("Order number"), Text(100), required=True,
              headers=("order id", "order no", "invoice", "invoice no", "invoice number", "document",
                       "订单号", "订单编号", "单号", "发票号", "销售单号")),
        _CUSTOMER,
        Field("placed_at", _("Placed"), Moment(), required=True,
              headers=("date", "order date", "ordered at", "invoice date", "下单时间", "下单日期", "订单日期", "订单时间",
                       "开票日期", "日期")),
        Field("product", _("Product number"), Text(100), required=True,
              headers=("product id", "product code", "sku", "stock code", "item", "item code", "article",
                       "产品编号", "商品编号", "商品编码", "产品编码", "货号", "物料编号", "物料编码")),
        Field("quantity", _("Quantity"), Number(rules.QUANTITY_PLACES, rules.MAX_QUANTITY), required=True,
              headers=("qty", "pieces", "数量", "订购数量")),
        Field("unit_price", _("Unit price"), Number(rules.PRICE_PLACES, rules.MAX_PRICE), required=True,
              headers=("price", "net price", "单价", "价格", "售价")),
        Field("customer_name", _("Customer name"), Text(200), headers=("customer", "客户名称", "客户姓名", "公司名称")),
        _COUNTRY,
        Field("product_name", _("Product name"), Text(200),
              headers=("description", "product description", "item name", "产品名称", "商品名称", "品名")),
        Field("category", _("Category"), Text(80),
              headers=("product category", "product group", "类别", "分类", "品类", "产品类别", "商品类别")),
        Field("currency", _("Currency"), Currency(), headers=("币种", "货币")),
        Field("rate", _("Exchange rate"), Number(rules.RATE_PLACES, rules.MAX_RATE, positive=True),
              headers=("fx rate", "汇率")),
        Field("due_on", _("Due"), Day(), headers=("due date", "到期日", "应付日期", "应收日期", "付款期限")),
        Field("paid_on", _("Paid"), Day(), headers=("paid date", "payment date", "付款日期", "回款日期", "收款日期")),
        Field("kind", _("Kind"), _ORDER_KINDS, headers=("type", "document type", "单据类型", "订单类型", "类型")),
        Field("status", _("Status"), _STATUSES, headers=("order status", "状态", "订单状态")),
    ),
    Import.Kind.CUSTOMERS: (
        _CUSTOMER,
        Field("name", _("Name"), Text(200), headers=("customer name", "company", "客户名称", "公司名称", "名称")),
        _COUNTRY,
        Field("city", _("City"), Text(80), headers=("town", "城市", "所在城市")),
        Field("industry", _("Industry"), Text(80), headers=("sector", "行业", "所属行业")),
        Field("industry_position", _("Industry position"), _POSITIONS,
              headers=("position in industry", "行业地位", "行业位置")),
        Field("growth_potential", _("Growth potential"), _GROWTH,
              headers=("growth", "potential", "增长潜力", "成长潜力", "成长性")),
        Field("owner_a", _("A owner"), MemberEmail(),
              headers=("owner", "account manager", "A角", "负责人", "客户经理")),
        Field("owner_b", _("B owner"), MemberEmail(), headers=("cover", "deputy", "B角", "协办人", "备岗")),
        Field("tags", _("Tags"), Words(500), headers=("labels", "标签")),
        Field("since", _("Customer since"), Day(), headers=("合作开始日期", "建档日期", "合作日期")),
        Field("note", _("Note"), Text(10_000), headers=("notes", "remark", "comment", "备注")),
    ),
    Import.Kind.CONTACTS: (
        _CUSTOMER,
        Field("name", _("Name"), Text(120), required=True,
              headers=("contact", "contact name", "full name", "联系人", "姓名", "联系人姓名")),
        _EXTERNAL_ID,
        Field("title", _("Position"), Text(80), headers=("job title", "position", "role", "职位", "职务")),
        Field("email", _("E-mail address"), Email(), headers=("mail", "e-mail", "email address", "邮箱", "电子邮箱", "邮件")),
        Field("phone", _("Phone"), Text(40), headers=("telephone", "mobile", "电话", "手机", "联系电话", "手机号")),
        Field("wechat", _("WeChat"), Text(60), headers=("weixin", "微信", "微信号")),
        Field("birthday", _("Birthday"), Day(), headers=("date of birth", "生日", "出生日期")),
        Field("channel", _("Preferred channel"), _CHANNELS, headers=("preferred channel", "联系方式", "首选渠道", "偏好渠道")),
        Field("language", _("Language"), Text(10), headers=("语言",)),
        Field("consent", _("Consent"), _CONSENTS, headers=("opt in", "同意", "授权")),
        Field("consent_on", _("Consent asked on"), Day(), headers=("consent date", "授权日期", "同意日期")),
    ),
    Import.Kind.PRODUCTS: (
        Field("product", _("Product number"), Text(100), required=True,
              headers=("product id", "product code", "sku", "stock code", "item", "item code", "article",
                       "产品编号", "商品编号", "商品编码", "产品编码", "货号", "物料编号", "物料编码", "编号")),
        Field("name", _("Name"), Text(200),
              headers=("product name", "description", "产品名称", "商品名称", "品名", "名称")),
        Field("category", _("Category"), Text(80),
              headers=("product category", "product group", "类别", "分类", "品类", "产品类别", "商品类别")),
    ),
    Import.Kind.INTERACTIONS: (
        _CUSTOMER,
        Field("at", _("When"), Moment(), required=True,
              headers=("date", "time", "when", "contacted at", "时间", "日期", "联系时间", "沟通时间")),
        Field("channel", _("Channel"), _CHANNELS, required=True, headers=("渠道", "方式", "联系方式", "沟通方式")),
        Field("direction", pgettext_lazy("of a contact", "Direction"), _DIRECTIONS, headers=("方向",)),
        Field("kind", _("Kind"), _TOUCH_KINDS, headers=("type", "类型", "联系类型")),
        Field("topic", _("Topic"), Text(60), headers=("subject", "主题", "事由")),
        Field("answered", _("Answered"), YesNo(), headers=("reached", "是否接通", "是否回复", "已回复")),
        Field("solved", _("Solved the first time"), YesNo(), headers=("resolved", "是否解决", "一次解决")),
        Field("about_competitor", _("Asked about a competitor"), YesNo(),
              headers=("competitor", "competitor asked", "竞品", "竞品咨询", "是否咨询竞品", "提及竞品")),
        Field("leaving", _("Thinks of leaving"), _LEAVINGS, headers=("leaves", "流失意向", "换供应商意向")),
        Field("member", _("By"), MemberEmail(), headers=("agent", "user", "跟进人", "经办人")),
        Field("note", _("Note"), Text(10_000), headers=("notes", "remark", "comment", "备注", "内容", "沟通内容")),
        _EXTERNAL_ID,
    ),
    Import.Kind.COMPLAINTS: (
        _CUSTOMER,
        Field("opened_at", _("Opened"), Moment(), required=True,
              headers=("date", "time", "created", "opened on", "complaint date", "投诉时间", "投诉日期", "时间", "日期")),
        Field("topic", _("Topic"), Text(60), required=True,
              headers=("subject", "reason", "category", "主题", "投诉类型", "投诉原因", "问题类型")),
        Field("severity", _("Severity"), _SEVERITIES, headers=("priority", "level", "严重程度", "级别", "优先级")),
        Field("text", _("What happened"), Text(10_000),
              headers=("description", "details", "note", "投诉内容", "问题描述", "描述", "内容")),
        Field("order", _("Order number"), Text(100),
              headers=("order id", "order no", "invoice", "invoice no", "订单号", "订单编号", "单号")),
        Field("solved_at", _("Solved"), Moment(),
              headers=("resolved at", "solved on", "closed at", "解决时间", "解决日期", "关闭时间", "处理完成时间")),
        Field("first_time", _("Solved the first time"), YesNo(),
              headers=("first time", "first contact resolution", "fcr", "一次解决", "首次解决", "是否一次解决")),
        _EXTERNAL_ID,
    ),
    Import.Kind.SURVEY_RESPONSES: (
        _CUSTOMER,
        Field("at", _("When"), Moment(), required=True,
              headers=("date", "time", "answered at", "responded at", "submitted at", "时间", "日期", "答复时间", "提交时间", "调研日期")),
        Field("kind", _("Kind"), _SURVEYS, required=True,
              headers=("type", "survey", "metric", "类型", "调研类型", "问卷类型", "指标")),
        Field("score", _("Score"), Number(0, Decimal(1000)), required=True,
              headers=("rating", "points", "answer", "分数", "评分", "得分", "打分")),
        Field("contact", _("Contact"), Text(254),
              headers=("contact id", "contact name", "respondent", "email", "联系人", "联系人编号", "受访人", "填写人")),
        Field("complaint", _("Complaint number"), Text(100),
              headers=("complaint id", "ticket", "case", "投诉编号", "投诉单号", "工单号")),
        Field("text", _("Own words"), Text(10_000), headers=("comment", "feedback", "note", "评论", "意见", "反馈", "原话")),
        _EXTERNAL_ID,
    ),
    Import.Kind.REFERRALS: (
        Field("customer", _("New customer’s number"), Text(100), required=True,
              headers=("new customer", "referred", "referred customer", "customer id", "customer no", "referee",
                       "新客户", "新客户编号", "被推荐客户", "被推荐客户编号", "客户编号")),
        Field("referrer", _("Recommended by"), Text(100), required=True,
              headers=("referred by", "referring customer", "old customer", "推荐人", "推荐客户", "推荐客户编号", "老客户", "老客户编号")),
        Field("on", _("Recommended on"), Day(), required=True,
              headers=("date", "day", "referred on", "referral date", "推荐日期", "推荐时间", "日期")),
        Field("member", _("Brought by"), MemberEmail(), headers=("agent", "user", "brought by", "经办人", "跟进人", "业务员")),
        Field("note", _("Note"), Text(10_000), headers=("notes", "remark", "comment", "备注")),
        _EXTERNAL_ID,
    ),
}  # fmt: skip

# The field by which a line of the outcome file names its record.
KEY_FIELD: Final[dict[str, str]] = {
    Import.Kind.ORDERS: "order",
    Import.Kind.CUSTOMERS: "customer",
    Import.Kind.CONTACTS: "external_id",
    Import.Kind.PRODUCTS: "product",
    Import.Kind.INTERACTIONS: "external_id",
    Import.Kind.COMPLAINTS: "external_id",
    Import.Kind.SURVEY_RESPONSES: "external_id",
    Import.Kind.REFERRALS: "external_id",
}


def fields_of(kind: str) -> tuple[Field, ...]:
    """The fields that files of this kind can bring, in the order in which forms show them.

    Raises KeyError for a kind that does not exist.
    """
    return FIELDS[kind]


_NOISE = re.compile(r"[\s_\-./()（）:：#*]+")


def plain(header: str) -> str:
    """A header without what does not tell two apart: case, blanks, punctuation."""
    return _NOISE.sub("", header).casefold()
