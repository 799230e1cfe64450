"""Hengtai Trading 恒泰建材: a building-materials wholesaler in Guangdong. Made up, like everybody in it."""

from __future__ import annotations

from random import Random
from typing import Final

from config.demo import seasons
from config.demo.firm import Article, Company, Firm, Name, Person, PolicyStep, SavedFilter, Topic, Words, listed, named
from tenants.permissions import Role

PEOPLE: Final = (
    Person("lin.yue@hengtai.example", "林悦", Role.ACCOUNT_MANAGER, "华南", weekly_capacity=32),
    Person("chen.rui@hengtai.example", "陈睿", Role.ACCOUNT_MANAGER, "华南", weekly_capacity=30),
    Person("xu.wen@hengtai.example", "徐雯", Role.ACCOUNT_MANAGER, "华东", weekly_capacity=26),
    Person("he.jia@hengtai.example", "何佳", Role.ACCOUNT_MANAGER, "华东", weekly_capacity=28),
    Person("zhou.min@hengtai.example", "周敏", Role.TEAM_LEAD, "华南"),
    Person("sun.qiang@hengtai.example", "孙强", Role.TEAM_LEAD, "华东"),
    Person("gao.ming@hengtai.example", "高明", Role.EXECUTIVE),
    Person("mei.lawson@oakfield.example", "Mei Lawson", Role.EXECUTIVE, language="en"),
    Person("tang.ning@hengtai.example", "唐宁", Role.ADMIN),
    Person("erp@hengtai.example", "ERP接口", Role.INTEGRATION),
)

# Category: articles as (name, price in fen, pack).
_RANGE: Final[dict[str, tuple[tuple[str, int, int], ...]]] = {
    "瓷砖": (
        ("抛釉砖 600×1200 云白", 5880, 24),
        ("抛釉砖 800×800 鱼肚白", 4650, 24),
        ("仿古砖 600×600 水泥灰", 3280, 30),
        ("木纹砖 200×1200 橡木", 3960, 30),
        ("柔光砖 750×1500 暖灰", 8890, 16),
        ("厨卫墙砖 300×600 米白", 1860, 40),
        ("防滑地砖 300×300 浅灰", 980, 60),
        ("外墙砖 45×145 砖红", 2150, 40),
    ),
    "瓷砖胶与填缝": (
        ("瓷砖胶 C1 20kg", 2480, 50),
        ("强力瓷砖胶 C2TE 20kg", 4250, 50),
        ("背胶 双组份 20kg", 19800, 4),
        ("美缝剂 400ml 银灰", 3650, 12),
        ("填缝剂 5kg 象牙白", 2690, 20),
        ("界面剂 18kg", 11200, 6),
        ("自流平 25kg", 5600, 40),
        ("十字定位卡 1000只", 1880, 20),
    ),
    "卫浴": (
        ("连体坐便器 节水型", 68800, 2),
        ("台上盆 方形 450mm", 21500, 4),
        ("恒温淋浴花洒", 52600, 2),
        ("浴室柜 800mm 橡木", 118000, 1),
        ("不锈钢水槽 双槽", 46800, 2),
        ("冷热面盆龙头", 15900, 6),
        ("地漏 防臭 100×100", 3980, 20),
        ("智能马桶盖", 92000, 1),
    ),
    "五金": (
        ("阻尼铰链 全盖", 620, 200),
        ("三节滑轨 450mm", 2350, 40),
        ("入户门锁 静音", 16800, 4),
        ("门吸 304不锈钢", 1290, 50),
        ("衣柜拉手 哑黑", 1580, 50),
        ("膨胀螺栓 M10×100", 85, 500),
        ("自攻螺丝 4×40 1000只", 3200, 20),
        ("角码 加厚 100只", 2600, 20),
    ),
    "涂料": (
        ("内墙乳胶漆 净味 18L", 31800, 6),
        ("外墙乳胶漆 耐候 20kg", 42600, 6),
        ("底漆 抗碱 18L", 22500, 6),
        ("木器清漆 水性 5kg", 18900, 6),
        ("艺术漆 微水泥 15kg", 59800, 2),
        ("防锈漆 铁红 10kg", 14200, 6),
        ("腻子粉 耐水 20kg", 2150, 60),
        ("滚筒刷 9寸套装", 1680, 30),
    ),
    "防水": (
        ("聚合物防水涂料 K11 20kg", 16500, 8),
        ("聚氨酯防水 20kg", 25800, 6),
        ("丙纶防水卷材 100㎡", 38500, 4),
        ("SBS卷材 3mm 10㎡", 21600, 10),
        ("堵漏王 5kg", 2980, 20),
        ("防水透气膜 75㎡", 33000, 4),
        ("密封胶 中性 590ml", 1450, 40),
        ("阻裂网格布 50m", 4600, 20),
    ),
    "管材管件": (
        ("PPR热水管 25×4.2 4m", 3280, 50),
        ("PVC排水管 110×3.2 4m", 4450, 30),
        ("PE给水管 32mm 100m", 36800, 4),
        ("PPR弯头 25mm", 260, 200),
        ("PPR铜球阀 25mm", 5600, 20),
        ("地暖管 PERT 20mm 300m", 68500, 2),
        ("分水器 六路", 31200, 2),
        ("PVC直接 110mm", 420, 100),
    ),
    "电工电料": (
        ("铜芯线 BV2.5 100m", 19600, 10),
        ("铜芯线 BV4 100m", 31500, 10),
        ("五孔插座 86型", 1180, 100),
        ("双开双控开关", 1560, 60),
        ("空气开关 2P 63A", 4250, 20),
        ("LED筒灯 7W 暖白", 1380, 60),
        ("穿线管 PVC20 3m", 390, 200),
        ("配电箱 16回路", 11800, 6),
    ),
    "地板": (
        ("强化地板 12mm 浅橡", 6850, 40),
        ("多层实木地板 15mm 橡木", 19800, 30),
        ("SPC石塑地板 5mm 灰橡", 5980, 50),
        ("实木地板 柚木 18mm", 39800, 20),
        ("地板静音膜 2mm 100㎡", 21500, 4),
        ("踢脚线 铝合金 2.5m", 3680, 40),
        ("收边条 T型 2.7m", 2150, 40),
        ("防腐木地板 炭化 21mm", 9800, 30),
    ),
    "吊顶与龙骨": (
        ("纸面石膏板 9.5mm", 2380, 60),
        ("防潮石膏板 12mm", 3450, 50),
        ("轻钢龙骨 50副龙骨 3m", 980, 120),
        ("集成吊顶铝扣板 300×300", 690, 200),
        ("矿棉板 600×600", 1250, 80),
        ("欧松板 18mm", 11800, 20),
        ("吊杆 M8 3m", 620, 100),
        ("石膏线 80mm 2.4m", 1680, 50),
    ),
}
ARTICLES: Final = tuple(
    Article(f"HT-{10 + group}{number:02}", name, category, price, pack)
    for group, (category, articles) in enumerate(_RANGE.items())
    for number, (name, price, pack) in enumerate(articles, start=1)
)

_BRANDS: Final = named(
    """
    华信:huaxin 荣达:rongda 顺发:shunfa 铭辉:minghui 悦丰:yuefeng 万佳:wanjia 天一:tianyi 百盛:baisheng 金帆:jinfan
    海棠:haitang 兰亭:lanting 宏图:hongtu 鼎盛:dingsheng 瑞祥:ruixiang 安居:anju 众诚:zhongcheng 恒美:hengmei
    新立:xinli 佳诺:jianuo 广源:guangyuan 中联:zhonglian 泰和:taihe 锦绣:jinxiu 东升:dongsheng 立成达:lichengda
    盛景:shengjing 德润:derun 永固:yonggu 嘉禾:jiahe 南岭:nanling 同创:tongchuang 启航:qihang 优筑:youzhu
    青禾:qinghe 博雅:boya 家和:jiahehome 长青:changqing 方正达:fangzhengda 凯悦居:kaiyueju 星河:xinghe 筑梦:zhumeng
    匠心:jiangxin 亿嘉:yijia
    """
)
_TRADES: Final = named(
    """
    建材:jc 陶瓷:tc 装饰:zs 五金:wj 厨卫:cw 家居:jj 建设工程:gc 地板:db 水暖:sn 装饰材料:cl
    """
)
_CITIES: Final = listed(
    """
    佛山 广州 东莞 深圳 中山 珠海 惠州 江门 肇庆 南宁 厦门 福州 杭州 宁波 苏州 上海 南京 合肥
    长沙 武汉
    """
)
_FAMILY: Final = named(
    """
    刘:liu 张:zhang 王:wang 李:li 赵:zhao 黄:huang 吴:wu 郑:zheng 冯:feng 梁:liang 谢:xie 罗:luo 邓:deng 韩:han 曹:cao
    彭:peng 潘:pan 叶:ye 蒋:jiang 杜:du 苏:su 魏:wei 沈:shen 卢:lu
    """
)
_GIVEN: Final = named(
    """
    芳:fang 国强:guoqiang 敏:min 建华:jianhua 丽娟:lijuan 志明:zhiming 晓红:xiaohong 伟:wei 海燕:haiyan 俊杰:junjie
    雪梅:xuemei 文斌:wenbin 婷:ting 永强:yongqiang 秀英:xiuying 家豪:jiahao 倩:qian 德胜:desheng 静怡:jingyi 浩:hao
    玉兰:yulan 晨曦:chenxi 凤:feng 立群:liqun 思远:siyuan 春生:chunsheng 慧:hui 振宇:zhenyu 巧玲:qiaoling
    卓然:zhuoran
    """
)


def _company(rng: Random) -> Company:
    brand, trade = rng.choice(list(_BRANDS)), rng.choice(list(_TRADES))
    city = rng.choice(_CITIES)
    return Company(f"{city}{brand}{trade}", f"{_BRANDS[brand]}-{_TRADES[trade]}", city, "中国")


def _contact(rng: Random) -> Name:
    family, given = rng.choice(list(_FAMILY)), rng.choice(list(_GIVEN))
    return Name(family + given, f"{_FAMILY[family]}.{_GIVEN[given]}")


def _phone(rng: Random) -> str:
    return f"+86 100 0000 {rng.randrange(10_000):04}"


WORDS: Final = Words(
    titles=("采购经理", "老板", "项目经理", "店长", "采购员", "仓库主管", "财务"),
    industries=("装饰公司", "建材门店", "工程承包", "五金店", "家居卖场", "地产开发", "家装设计"),
    tags=("样板客户", "工程", "零售", "账期敏感", "新品试用", "展厅", "价格敏感", "老客户推荐"),
    topics=(
        Topic(
            "价格",
            ("发了本月价格表，重点说明瓷砖调价", "沟通下季度返利档位，客户表示可以考虑", "解释了运费上涨的原因"),
            ("询问C2TE瓷砖胶整车价", "要一份含税报价", "说别家每平米便宜两元，问能否跟"),
        ),
        Topic(
            "新品",
            ("推荐750×1500柔光砖，约了看样", "寄出微水泥样板，下周听反馈", "介绍SPC石塑地板，客户有兴趣"),
            ("问新款花洒有没有现货", "想要柔光砖的样板"),
        ),
        Topic(
            "交货",
            ("确认下周二到货，司机电话已发", "提前告知仓库盘点，发货推迟一天"),
            ("催问防水卷材什么时候到", "要求改送到二号工地"),
        ),
        Topic(
            "需求",
            ("了解下半年工程计划，预计三个样板间", "聊了库存，乳胶漆还能撑两周"),
            ("新开一家门店，需要配货建议",),
        ),
        Topic("对账", ("发了上月对账单，客户确认无误", "提醒两张到期发票"), ("发票抬头要改", "对账单少了一笔退货")),
        Topic("拜访", ("到店拜访，陈列位置不错，五金缺货", "和老板吃了饭，明年想签年框"), ("邀请我们参加新店开业",)),
    ),
    complaints={
        "物流延误": ("约好周五到，周一才送来，工人白等了两天。", "司机没有提前打电话，现场没人卸货。"),
        "破损": ("两托瓷砖破角，大概四十片不能用。", "台上盆到货有裂纹，包装太薄。"),
        "色差": ("同一批次色差明显，客户要求返工。",),
        "数量短缺": ("少发了五箱美缝剂。", "送货单和实收数量对不上，差十二支。"),
        "开票错误": ("税号开错，财务退回来了。",),
        "质量问题": ("铰链用了一个月就松了。", "乳胶漆干了以后起皮。"),
    },
    no_answer=("未接，晚点再打", "微信未回", "已发资料，没有回复", "两次都占线"),
    thanks="首单感谢",
    thanks_note="感谢首单，确认收货顺利，留了联系方式",
    call_back="投诉回访",
    call_back_note="问题已处理，客户表示满意",
    follow_up="回访",
    follow_up_notes=(
        "例行回访，一切正常，下周补货",
        "聊了近期销量，准备加一批",
        "问了库存，月底再下单",
        "客户在外地，约下周见面",
    ),
    silence="沉默回访",
    silence_notes=(
        "说工地停了，下个月恢复",
        "库存还多，等清完再订",
        "换了采购，正在重新比价",
        "抱怨上次送货慢，答应再试一单",
    ),
    promises=(
        "承诺：铰链新报价",
        "承诺：寄柔光砖样板",
        "承诺：补发五箱美缝剂",
        "约好今天谈年度框架",
        "答复运费减免申请",
    ),
    notes={
        "growing": ("新开两家门店，潜力大。",),
        "fading": ("据说在试别家的瓷砖胶。",),
        "silent": ("采购换人，关系要重建。",),
        "complaining": ("对破损很敏感，发货前务必检查包装。",),
        "covered": ("由另一组代为跟进。",),
        "closed": ("公司注销，尾款已清。",),
        "never": ("展会上认识，还没有下过单。",),
    },
    evidence={
        "referral": ("介绍了同行来店里看样", "饭局上把我们推荐给朋友，对方第二天就来电话"),
        "endorsement": ("在经销商大会上替我们发言", "愿意写进宣传册，提供了工地照片"),
        "benchmark": ("样板工程，区域内同行都去参观",),
        "co_development": ("一起试了新配方的瓷砖胶，给出三轮反馈", "共同开发柔光砖新规格"),
        "cluster": ("同一建材城另外五家都跟着进货", "商会会长单位，带动本地门店"),
    },
    pin_reason="年框刚签，按战略客户服务半年再看",
    causes=("春节停工", "工程延期", "价格", "已转向别家", "换了采购人员"),
    rivals=(
        "问别家同款报价，说便宜百分之四",
        "竞争厂家送了样板，想让我们也报价",
        "听说隔壁店换了供应商，问我们能不能降价",
    ),
    answers={
        "good": ("送货准时，服务到位", "合作多年，很放心", "新品推荐得准", "问题当天就解决"),
        "middling": ("产品可以，回复慢了点", "价格一般，服务还行", "偶尔缺货"),
        "bad": ("破损问题一直没解决", "没人主动联系我们", "换货拖了两周", "价格没有优势了"),
    },
    views={
        "green": (("project", "新楼盘年底开工，要大单"), ("own_business", "搬仓库，下月恢复正常")),
        "yellow": (("price", "谈价两次都没成"), ("delivery", "对送货时间有意见")),
        "red": (("competitor", "新来的采购带着自己的供应商"), ("quality", "破损的退款还没到账，很不满")),
    },
)

HENGTAI: Final = Firm(
    slug="hengtai",
    name="Hengtai Trading 恒泰建材",
    pack="wholesale",
    timezone="Asia/Shanghai",
    currency="CNY",
    country="CN",
    language="zh-hans",
    people=PEOPLE,
    articles=ARTICLES,
    words=WORDS,
    company=_company,
    contact=_contact,
    phone=_phone,
    season=seasons.building_materials,
    season_of={"涂料": (3, 4, 5, 9, 10, 11), "防水": (3, 4, 5, 6, 7)},
    working_days=(0, 1, 2, 3, 4, 5),
    channels={"wechat": 50, "phone": 30, "visit": 12, "sms": 3, "app": 5},
    order_money=1_600_000,
    terms_days=(30, 45, 60),
    companions=(
        ("抛釉砖 800×800 鱼肚白", "强力瓷砖胶 C2TE 20kg"),
        ("智能马桶盖", "恒温淋浴花洒"),
        ("聚氨酯防水 20kg", "阻裂网格布 50m"),
    ),
    segments=(
        SavedFilter("重点客户，健康度黄或红", {"tier": ("key",), "risk": ("any",)}),
        SavedFilter("刚被赢回的客户", {"stage": ("won_back",)}),
        SavedFilter("高增长潜力的普通客户", {"tier": ("regular",), "money_from": ("300000",)}),
    ),
    policy=(
        PolicyStep(
            "起点太高，本公司没有千万级客户：战略三百万，重点六十万；交叉销售看单品；调研自动发送",
            {
                "tiers": {"strategic_money": 3_000_000, "key_money": 600_000},
                "cross_sell": {"level": "product", "minimum_followed": 12},
                "surveys": {"sending": "automatic", "ask_promoters": "yes"},
                "programme": {
                    "once": 400_000,
                    "people": 900_000,
                    "technology": 160_000,
                    "marketing": 240_000,
                    "margin": 22,
                    "baseline": 58,
                },
            },
        ),
        PolicyStep("流失的客户不多：概率到 30% 就预警", {"forecast": {"warn_percent": 30}}),
        PolicyStep(
            "普通客户也要有人联系：每季度一次轻触达",
            {
                "cadence": {
                    "tiers": {
                        "strategic": [
                            {"kind": "review", "times": 1, "per": "quarter"},
                            {"kind": "deep_talk", "times": 1, "per": "month"},
                        ],
                        "key": [
                            {"kind": "deep_talk", "times": 1, "per": "month"},
                            {"kind": "report", "times": 1, "per": "quarter"},
                        ],
                        "regular": [
                            {"kind": "message", "times": 1, "per": "month"},
                            {"kind": "light_touch", "times": 1, "per": "quarter"},
                        ],
                    }
                }
            },
        ),
    ),
    prefixes={"customer": "C-", "order": "SO-", "shop": "WX", "credit": "TH-", "shop_customer": "wx"},
)
