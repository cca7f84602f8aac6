"""Programs that a codec may be: put together of what JavaScript is made of, and those that mean harm."""

from hypothesis import strategies as st

_NAMES = (
    "bytes", "input", "fPort", "data", "x", "length", "constructor", "__proto__", "toJSON", "arguments", "globalThis",
)  # fmt: skip
_ATOMS = (
    "input", "input.bytes", "input.bytes[0]", "input.bytes.length", "1", "0", "-1", "0x7fffffff", "1e308", "NaN",
    "null", "undefined", "true", "'x'", "'\\ud800'", "`${input.fPort}`", "[]", "{}", "[,1]", "/(a+)+$/", "10n", "this",
    "Symbol()", "new Date(NaN)", "new Map([[1,2]])", "new Uint8Array(9)", "new Proxy({}, {get() { return 1; }})",
    "globalThis", "eval", "(function f() { return f(); })", "Promise.resolve(1)", "new Error('e')", "JSON", "Math",
    "decodeUplink",
)  # fmt: skip
_OPERATORS = (
    "+", "-", "*", "/", "%", "**", "<<", ">>>", "&", "|", "&&", "||", "??", "==", "===", "in", "instanceof", ",",
)  # fmt: skip
_BODY = "function decodeUplink(input) {{ {} }}"

_HARMFUL = (
    "while (true);",
    "for (;;) { try { while (true); } catch (e) {} }",
    "return decodeUplink(input);",
    "var s = 'a'; while (true) s += s;",
    "return {data: {s: 'a'.repeat(1 << 29)}};",
    "return {data: {s: 'a'.repeat(3 << 20)}};",
    "var a = []; while (true) a.push(new Array(1e6).fill(0));",
    "var a = []; while (true) a.push({});",
    "return {data: {a: new Array(4294967295)}};",
    "var o = {}; o.o = o; return {data: o};",
    "var a = []; for (var i = 0; i < 1e5; i++) a = [a]; return {data: {a: a}};",
    "var o = {}; for (var i = 0; i < 1e5; i++) o['k' + i] = i; return {data: o};",
    "return {data: {m: /^(a+)+$/.test('a'.repeat(40) + 'b')}};",
    "return {data: {m: /(x+x+)+y/.exec('x'.repeat(60))}};",
    "return {data: {m: 'a'.repeat(1e6).replace(/(a*)*b/g, '')}};",
    "return {data: {get a() { while (true); }}};",
    "return {data: {toJSON() { return {toJSON() { while (true); }}; }}};",
    "return {data: new Proxy({}, {ownKeys() { while (true); }})};",
    "throw {toString() { while (true); }};",
    "throw {get message() { while (true); }};",
    "throw 'a'.repeat(1 << 24);",
    "return {data: {}, warnings: new Array(1e6).fill('w'.repeat(100))};",
    "return {data: {}, errors: [{toString() { throw 1; }}]};",
    "return {data: {b: 2n ** 100000n}};",
    "return {data: {b: (2n ** 5000000n).toString().length}};",
    "new Array(1e7).sort(() => Math.random() - 0.5); return {data: {}};",
    "return {data: {s: JSON.stringify(new Array(1e6).fill('x'))}};",
    "return {data: {s: 'x'.padEnd(1e9)}};",
    "return {data: {s: 'a,'.repeat(1e6).split(',').length}};",
    "Array.prototype.push = () => { while (true); }; return {data: {}};",
    "Object.prototype.toJSON = function () { return this; }; return {data: {a: 1}};",
    "return {data: eval('('.repeat(1e5))};",
    "return {data: {f: new Function('a'.repeat(1e6))}};",
    "return {data: {s: '\\\\ud800\\\\udfff' + String.fromCharCode(0)}};",
    "return new Promise(() => {});",
)
BOMBS = (
    *map(_BODY.format, _HARMFUL),
    "while (true); function decodeUplink() {}",
    "(" * 50_000,
    "[" * 20_000 + "]" * 20_000,
    "function decodeUplink() {" * 2_000 + "}" * 2_000,
    "var decodeUplink = " + "()=>" * 20_000 + "1",
    "var s = '" + "a" * 500_000 + "'; function decodeUplink() { return {data: {s: s}}; }",
    "/" + "(a|" * 3_000 + ")" * 3_000 + "/; function decodeUplink() { return {data: {}}; }",
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    statements = " ".join(draw(st.lists(_statements(), max_size=5)))
    return _BODY.format(f"{statements} return {{data: {draw(_expressions())}}};")


def _expressions() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(_ATOMS),
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(_OPERATORS), inner).map(lambda one: f"({' '.join(one)})"),
            st.tuples(inner, st.sampled_from(_NAMES)).map(".".join),
            st.tuples(inner, inner).map(lambda one: f"{one[0]}[{one[1]}]"),
            st.tuples(inner, inner).map(lambda one: f"{one[0]}({one[1]})"),
            st.tuples(st.sampled_from(_NAMES), inner).map(lambda one: f"({{{one[0]}: {one[1]}}})"),
            inner.map(lambda one: f"[...{one}]"),
            inner.map(lambda one: f"String({one})"),
        ),
        max_leaves=6,
    )


def _statements() -> st.SearchStrategy[str]:
    one = _expressions()
    return st.one_of(
        one.map(lambda it: f"{it};"),
        st.tuples(st.sampled_from(_NAMES), one).map(lambda it: f"var {it[0]} = {it[1]};"),
        st.tuples(st.sampled_from(_NAMES), one).map(lambda it: f"globalThis.{it[0]} = {it[1]};"),
        one.map(lambda it: f"for (var k in {it}) {{ x = k; }}"),
        one.map(lambda it: f"for (var v of {it}) {{ x = v; }}"),
        one.map(lambda it: f"if ({it}) throw {it};"),
        st.tuples(one, one).map(lambda it: f"try {{ {it[0]}; }} catch (e) {{ {it[1]}; }} finally {{ x = 1; }}"),
        one.map(lambda it: f"Object.defineProperty(Object.prototype, 'y', {{get() {{ return {it}; }}}});"),
    )
