"""Which column of a list is what, by its name in the first row: in Chinese or English, or as somebody says. Pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import msgspec

from switch.list_cells import MAX_NUMBERS

FIELDS = (
    "number",
    "name",
    "time_zone",
    "priority",
    "consent",
    "callback",
    "owner",
    "area",
    "level",
    "tags",
    "reason",
    "expires",
    "data",
    "ignore",
)
"""What a column may be: the rest of a record is `data`."""

_NAMES: dict[str, tuple[str, ...]] = {
    "number": (
        *("number", "phonenumber", "phone", "telephone", "tel", "mobile", "mobilenumber", "mobilephone", "cell"),
        *("cellphone", "homephone", "workphone", "officephone", "contactnumber", "msisdn", "landline"),
        *("号码", "电话", "电话号码", "手机", "手机号", "手机号码", "移动电话", "联系电话", "联系方式", "联系号码"),
        *(
            "固话",
            "固定电话",
            "座机",
            "家庭电话",
            "住宅电话",
            "办公电话",
            "单位电话",
            "公司电话",
            "客户电话",
            "客户号码",
        ),
        *("被叫", "被叫号码", "备用电话", "备用号码", "主叫号码"),
    ),
    "name": (
        *("name", "fullname", "customer", "customername", "contact", "contactname"),
        *("姓名", "名字", "名称", "客户", "客户姓名", "客户名称", "联系人", "称呼"),
    ),
    "time_zone": ("timezone", "tz", "zone", "时区"),
    "priority": ("priority", "prio", "优先级", "优先"),
    "consent": ("consent", "hasconsent", "optin", "agreed", "同意", "是否同意", "授权", "同意外呼", "是否授权"),
    "callback": ("callback", "callbackat", "callbacktime", "回拨时间", "预约时间", "回访时间", "下次联系时间"),
    "owner": ("owner", "agent", "agentid", "坐席", "座席", "坐席工号", "座席工号", "工号", "负责人", "业务员"),
    "area": ("area", "归属地", "号码归属地"),
    "level": ("level", "grade", "级别", "等级", "客户级别", "客户等级"),
    "tags": ("tag", "tags", "label", "labels", "标签"),
    "reason": ("reason", "note", "原因", "理由"),
    "expires": ("expires", "until", "expiry", "有效期", "到期", "失效时间", "截止时间"),
}
_FIELD_OF = {name: field for field, names in _NAMES.items() for name in names}
_LABELS = (
    ("home", ("home", "landline", "家庭", "住宅", "固话", "固定", "座机")),
    ("work", ("work", "office", "办公", "单位", "公司")),
    ("mobile", ("mobile", "cell", "手机", "移动")),
)
_OF_KIND = {
    "campaign": {"number", "name", "time_zone", "priority", "consent", "callback", "owner", "area"},
    "customers": {"number", "name", "time_zone", "consent", "owner", "area", "level", "tags"},
    "dnc": {"number", "reason", "expires"},
}
"""The others are data there."""
_NOISE = re.compile(r"[\s_:：*()（）.#-]+")
MAX_KEY = 64


class Column(msgspec.Struct, frozen=True):
    index: int
    title: str
    field: str
    label: str = ""
    """Of a number."""


class ColumnError(ValueError):
    """The list cannot be read so; the text says why."""


def columns_of(titles: Sequence[str], kind: str, mapping: Mapping[str, str]) -> list[Column]:
    """What each column is; `mapping` (title or letter → field) counts before its name. Raises ColumnError."""
    wanted = {normal(title): field for title, field in mapping.items()}
    used: set[str] = set()
    columns: list[Column] = []
    keys: set[str] = set()
    for index, title in enumerate(titles):
        shown = title.strip()[:MAX_KEY] or letter(index)
        field = ""
        for name in (normal(title), normal(letter(index))):
            if name and name in wanted:
                used.add(name)
                field = wanted[name]
                break
        field = field or _known(normal(title), kind)
        if field == "data":
            shown = _unused(shown, keys)
            keys.add(shown)
        elif field not in ("number", "ignore") and any(column.field == field for column in columns):
            raise ColumnError(f'columns "{_title(columns, field)}" and "{shown}" are both {field}; map one to data')
        columns.append(Column(index, shown, field, _label(title) if field == "number" else ""))
    if missing := sorted({*wanted} - used):
        raise ColumnError(f'there is no column "{missing[0]}"; there are: {", ".join(t for t in titles if t)[:300]}')
    n = sum(column.field == "number" for column in columns)
    if not n:
        raise ColumnError(
            "no column is called number, phone, mobile, 电话 or 手机: name one so, or map one to number; "
            f"there are: {', '.join(t for t in titles if t)[:300]}"
        )
    if n > MAX_NUMBERS:
        raise ColumnError(f"{n} columns hold numbers, at most {MAX_NUMBERS} may")
    return columns


def normal(title: str) -> str:
    """As names of columns are compared."""
    return _NOISE.sub("", unicodedata.normalize("NFKC", title)).lower()


def letter(index: int) -> str:
    """As spreadsheets call it: A, B … Z, AA."""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def _known(name: str, kind: str) -> str:
    field = _FIELD_OF.get(name) or _FIELD_OF.get(name.rstrip("0123456789一二三四五六七八九十"), "")
    if not name:
        return "data"
    return field if field in _OF_KIND[kind] else "data"


def _label(title: str) -> str:
    name = normal(title)
    return next((label for label, parts in _LABELS if any(part in name for part in parts)), "")


def _title(columns: list[Column], field: str) -> str:
    return next(column.title for column in columns if column.field == field)


def _unused(key: str, keys: set[str]) -> str:
    n, found = 1, key
    while found in keys:
        n += 1
        found = f"{key[: MAX_KEY - 5]} ({n})"
    return found
