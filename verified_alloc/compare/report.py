def page(c: object) -> str:
    return ""
