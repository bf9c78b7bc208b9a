"""Values that something obeys, or runs, where it is shown them: in a terminal, a browser, Markdown, a spreadsheet."""

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](https://tracker.example.com/x.png)",
    "a|b",
    "``` code `",
    "**bold** _it_ ~~gone~~ # head",
    "https://evil.example.com/login",
    "\x1b]0;title\x07\x1b[31mred",
    "\x9b31mred",
    "[/b]",
    "[bold red]x[/]",
    ":warning:",
    '=HYPERLINK("https://evil.example.com","x")',
    "right\u202etxt.exe",
    "zero\u200bwidth",
    "two\r\nlines",
    "\udcff not UTF-8",
    "a\\|b &lt;c&gt; &#60;d",
]
