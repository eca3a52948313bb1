"""The built-in prompts: every one by name and language, with the text it speaks. "voice:LANGUAGE/NAME" plays it.

`scripts/render-prompts` makes the audio of it, `media/voices/LANGUAGE/NAME.wav`. Pure.
"""

LANGUAGES = ("zh", "en")
PAUSE = "pause"
"""Between groups of digits: silence, in every language."""
_PAUSE_SOURCE = "silence:250"

_ZH_DIGITS = "零一二三四五六七八九"
_EN_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_EN_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

_EN_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_EN_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EN_DATES = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
    *("twentieth", "twenty-first", "twenty-second", "twenty-third", "twenty-fourth", "twenty-fifth", "twenty-sixth"),
    *("twenty-seventh", "twenty-eighth", "twenty-ninth", "thirtieth", "thirty-first"),
)

PROMPTS: dict[str, dict[str, str]] = {
    "zh": {
        **{str(n): text for n, text in enumerate(_ZH_DIGITS)},
        "liang": "两",
        "yao": "幺",
        "10": "十",
        "100": "百",
        "1000": "千",
        "wan": "万",
        "yi": "亿",
        "point": "点",
        "minus": "负",
        "plus": "加",
        "yuan": "元",
        "jiao": "角",
        "fen": "分",
        "dollars": "美元",
        "year": "年",
        "month": "月",
        "date": "日",
        "sharp": "整",
        "days": "天",
        "hours": "小时",
        "seconds": "秒",
        **{f"weekday{n}": f"星期{text}" for n, text in enumerate("一二三四五六日", 1)},
        "you_are_at": "您现在排在第",
        "in_line": "位",
        "you_are_next": "您是下一位",
        "more_than_before": "您前面的客户超过",
        "callers": "位",
        "wait_about": "预计等待时间约",
        "minutes": "分钟",
        "wait_short": "预计等待时间不到一分钟",
        "for_callback": "如需我们给您回电，请按",
        "for_message": "如需留言，请按",
        "for_other": "如需其他服务，请按",
        "pound": "井号键",
        "star": "星号键",
        "will_call_back": "我们会尽快给您回电，再见",
        "cannot_call_back": "很抱歉，无法给您回电，请继续等待",
        "agent": "工号",
        "at_your_service": "为您服务",
        "please_wait": "坐席正忙，请稍候",
        "call_from": "您好，给您来电的号码是",
        "nobody_here": "很抱歉，现在没有话务员可以为您服务，打扰您了，再见",
        "leave_message": "请在提示音后留言，结束请按井号键",
        "review_message": "发送留言请按一，收听请按二，重新录制请按三",
        "message_left": "您的留言已经收到，谢谢",
        "no_message": "没有收到您的留言",
        "box_full": "很抱歉，信箱已满，暂时无法留言",
        "enter_box": "请输入信箱号码，按井号键结束",
        "enter_pin": "请输入密码，按井号键结束",
        "wrong_pin": "输入有误",
        "new_messages": "条新留言",
        "old_messages": "条已听留言",
        "you_have": "您有",
        "no_messages": "您没有留言",
        "message_keys": "重听请按一，保存请按二，删除请按三，上一条请按四，回电请按五，下一条请按六，退出请按星号键",
        "message_number": "第",
        "message_unit": "条",
        "message_from": "来电号码",
        "received_on": "留言时间",
        "message_saved": "留言已保存",
        "message_deleted": "留言已删除",
        "no_more_messages": "没有更多留言",
        "goodbye": "再见",
    },
    "en": {
        **{str(n): text for n, text in enumerate(_EN_SMALL)},
        **{str(10 * n): text for n, text in enumerate(_EN_TENS, 2)},
        "hundred": "hundred",
        "thousand": "thousand",
        "million": "million",
        "billion": "billion",
        "point": "point",
        "minus": "minus",
        "plus": "plus",
        "and": "and",
        "oh": "oh",
        "am": "a.m.",
        "pm": "p.m.",
        "yuan": "yuan",
        **{f"{unit}{end}": f"{unit}{end}" for unit in ("dollar", "cent", "day", "hour", "second") for end in ("", "s")},
        **{f"month{n}": text for n, text in enumerate(_EN_MONTHS, 1)},
        **{f"date{n}": f"the {text}" for n, text in enumerate(_EN_DATES, 1)},
        **{f"weekday{n}": text for n, text in enumerate(_EN_WEEKDAYS, 1)},
        "you_are_at": "You are number",
        "in_line": "in the queue",
        "you_are_next": "You are next in line",
        "more_than_before": "There are more than",
        "callers": "callers before you",
        "wait_about": "The estimated waiting time is",
        "minutes": "minutes",
        "minute": "minute",
        "wait_short": "You will wait less than a minute",
        "for_callback": "If you want us to call you back, press",
        "for_message": "To leave a message, press",
        "for_other": "For other services, press",
        "pound": "the pound key",
        "star": "the star key",
        "will_call_back": "We will call you back as soon as we can. Goodbye",
        "cannot_call_back": "Sorry, we cannot call you back. Please stay on the line",
        "agent": "Agent",
        "at_your_service": "is at your service",
        "please_wait": "All our agents are busy. Please stay on the line",
        "call_from": "Hello. This is a call from",
        "nobody_here": "We are sorry that nobody is free to speak to you at the moment. Goodbye",
        "leave_message": "Please leave a message after the tone. Press the pound key when you have finished",
        "review_message": "To send your message press one, to listen to it press two, to record it again press three",
        "message_left": "We have your message. Thank you",
        "no_message": "We have not heard a message from you",
        "box_full": "Sorry, this mailbox is full. You cannot leave a message now",
        "enter_box": "Enter the number of the mailbox, then press the pound key",
        "enter_pin": "Enter your PIN, then press the pound key",
        "wrong_pin": "That is not right",
        "new_messages": "new messages",
        "new_message": "new message",
        "old_messages": "old messages",
        "old_message": "old message",
        "you_have": "You have",
        "no_messages": "You have no messages",
        "message_keys": "To hear it again press one, to save it press two, to delete it press three, for the one "
        "before press four, to call back press five, for the next one press six, to leave press the star key",
        "message_number": "Message",
        "message_from": "from",
        "received_on": "received",
        "message_saved": "Message saved",
        "message_deleted": "Message deleted",
        "no_more_messages": "There are no more messages",
        "goodbye": "Goodbye",
    },
}


def source(name: str, language: str) -> str:
    """What the media worker plays. Raises KeyError for a prompt there is none of."""
    if name == PAUSE:
        return _PAUSE_SOURCE
    PROMPTS[language][name]
    return f"voice:{language}/{name}"


def language_of(wanted: str, default: str = "zh") -> str:
    """The language that is spoken for a wish as "en-GB"; `default` when there is no voice for it."""
    short = wanted.partition("-")[0].lower()
    return short if short in PROMPTS else default if default in PROMPTS else "zh"
