"""Mutations of valid files: of their bytes, of their structure, and with mended checksums.

Every mutation draws from a `random.Random`, so that a seed names one file for ever.
"""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

Mutator = Callable[[bytes, Random], bytes]

# Values where another type or range is expected. Python writes NaN and infinities as bare words.
HOSTILE_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 2, 1e308, 1e-320, -0.0, float("nan"), float("inf")),
    *(2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**307, 10**400, 10**4000),
    *("", "NaN", "-Infinity", "nan", "1e5", "x" * 100_000, "a/b/generator", "../../x", "\x00"),
    *("\x1b[2J\x1b]0;title\x07", "\u202egnp.exe", "\ud800", "<script>alert(1)</script>", "%s{0}"),
    *([], {}, [[]], [1] * 1000, [None], ["a", 1], {"": {}}, {"a": [{}]}, [float("nan")] * 3),
)
# Texts in place of a part of a text: huge numbers, deep nesting, anchors, tags.
HOSTILE_TEXTS = (
    *("9" * 400, "9" * 5000, "-1e999", "1e-999", "0x" + "f" * 400, "1:" * 3000 + "1", "NaN"),
    *("[" * 200, "[" * 100_000, '{"a":' * 5000, "{a: " * 200, "- " * 3000, "\n" * 100),
    *("*a", "&a [*a]", "<<: *a", "!!python/object:os.system x", "!!binary aGk=", "2001-99-99"),
    *("!!set {a}", "? [1, 2] : 3\n", "\t", '"', "'", "\\", "\u2028", "\ufeff", "\x1b[2J", "---\n"),
    *("extends: .\n", "extends: /dev/zero\n", "<<: {a: 1}\n", "~", "|", ">", "%TAG", "#"),
)
# PNG and numpy put an unsigned 32-bit or a decimal length where these fit.
HOSTILE_LENGTHS = (0, 1, 2**15, 2**16 + 1, 2**31 - 1, 2**32 - 1)


def mutate_bytes(data: bytes, random: Random) -> bytes:
    """One to four changes of single bytes or slices; or a cut at any place."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        if changed:
            _change_slice(changed, random)
    return bytes(changed)


def _change_slice(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data))
    end = min(len(data), at + random.choice((1, 1, 4, 32, 256)))
    other = random.randrange(len(data))
    flipped = bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1])
    replaced = random.choice(
        (
            flipped + data[at + 1 : end],
            bytes([random.choice(b'\x00\xff0-9"[]{},:.eE\n\r\t \x1b')]) + data[at + 1 : end],
            b"",
            data[at:end] * random.choice((2, 3, 9)),
            random.randbytes(end - at),
            data[other : other + end - at],
        )
    )
    if random.random() < 0.15:
        end = len(data)  # a cut
    data[at:end] = replaced


def mutate_text(data: bytes, random: Random) -> bytes:
    """A hostile text in place of a word, a number or nothing, in one place or several."""
    text = data.decode("utf-8", "surrogateescape")
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(text) + 1)
        end = at
        while end < len(text) and text[end].isalnum() and random.random() < 0.95:
            end += 1
        text = text[:at] + random.choice(HOSTILE_TEXTS) + text[end:]
    return text.encode("utf-8", "surrogateescape")


def mutate_value(data: Any, random: Random) -> Any:
    """Plain data with one or two of its values replaced, removed, renamed, nested or doubled."""
    data = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 2))):
        places = list(_places(data))
        if not places:
            return copy.deepcopy(random.choice(HOSTILE_VALUES))
        inside, key = random.choice(places)
        kind = random.randrange(8)
        if kind == 0:
            del inside[key]
        elif kind == 1 and isinstance(inside, dict):
            name = random.choice(HOSTILE_VALUES)
            inside[name if isinstance(name, str) else str(key) + "x"] = inside.pop(key)
        elif kind == 2:
            value = inside[key]
            for _ in range(random.choice((1, 90, 110, 300))):
                value = [value]
            inside[key] = value
        elif kind == 3:
            inside[key] = copy.deepcopy(random.choice(places)[0])
        else:
            # A copy: a list that a later mutation puts into itself would have no end.
            inside[key] = copy.deepcopy(random.choice(HOSTILE_VALUES))
    return data


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every list or mapping below plain data, with each of its keys."""
    left = [data]
    while left:
        inside = left.pop()
        if isinstance(inside, dict | list):
            for key in list(inside) if isinstance(inside, dict) else range(len(inside)):
                yield inside, key
                left.append(inside[key])


def mutate_json(data: bytes, random: Random) -> bytes:
    """One value of a JSON document, or of one line of JSON lines."""
    lines = data.splitlines()
    if len(lines) > 1 and lines[0].startswith(b"{") and lines[0].endswith(b"}"):
        at = random.randrange(len(lines))
        lines[at] = _dump_json(mutate_value(json.loads(lines[at]), random))
        return b"\n".join(lines) + b"\n"
    return _dump_json(mutate_value(json.loads(data), random))


def _dump_json(data: Any) -> bytes:
    try:
        return json.dumps(data, default=str).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # an integer of 4,001 digits, or nested too deeply
        return b"[" * 3000


def mutate_yaml(data: bytes, random: Random) -> bytes:
    """One value of a YAML document; sometimes anchors that multiply."""
    if random.random() < 0.1:
        return data + _multiply(random)
    try:
        text = yaml.safe_dump(mutate_value(yaml.safe_load(data), random), allow_unicode=True)
    except (yaml.YAMLError, ValueError, RecursionError):
        return data[:-1]
    return text.encode("utf-8", "surrogatepass")


def _multiply(random: Random) -> bytes:
    """Aliases of aliases: a few lines that stand for any number of values."""
    wide, deep = random.choice((2, 10, 50)), random.choice((3, 8, 30))
    lines = [f"a0: &a0 [{', '.join('x' * wide)}]"]
    for level in range(1, deep):
        inner = f"*a{level - 1}"
        one_in = random.choice(
            (f"[{', '.join([inner] * wide)}]", f"{{k: {inner}, l: {inner}}}", f"{{<<: {inner}}}")
        )
        lines.append(f"a{level}: &a{level} {one_in}")
    lines.append(random.choice((f"about: *a{deep - 1}", f"probes: *a{deep - 1}", "about: 1")))
    return ("\n" + "\n".join(lines) + "\n").encode()


def mutate_npy(data: bytes, random: Random) -> bytes:
    """The header of a .npy file, with its length mended; or its bytes."""
    if not data.startswith(b"\x93NUMPY\x01") or random.random() < 0.3:
        return mutate_bytes(data, random)
    length = struct.unpack("<H", data[8:10])[0]
    descr = random.choice(("<f4", "<f8", "|u1", "<i8", "|O", "<U9", "<c16", "|V0", "<f2", ">f4"))
    dim = random.choice((0, 1, 2, 3, -1, 10**6, 10**9, 10**12, 2**62, 2**64, 10**400))
    dims = [random.choice((dim, 2, 3, 28)) for _ in range(random.randrange(6))]
    fields: dict[str, Any] = {"descr": descr, "fortran_order": False, "shape": tuple(dims)}
    text = repr(mutate_value(fields, random)) if random.random() < 0.2 else repr(fields)
    header = text.encode("utf-8", "replace").ljust(length)
    size = struct.pack("<H", min(len(header), 65_535))
    return data[:8] + size + header + data[10 + length :]


def mutate_zip(data: bytes, random: Random) -> bytes:
    """The members of a zip file, each with its checksum; a bomb; another name; or its bytes."""
    kind = random.randrange(6)
    if kind == 0:
        return mutate_bytes(data, random)
    members = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in archive.namelist():
            members[name] = archive.read(name)
    name = random.choice(list(members))
    if kind == 1:
        # 50 MB of zeros become 50 KB: as much as one mutated file among 10,000 may cost.
        members[name] = members[name][:128] + bytes(random.choice((10**6, 5 * 10**7)))
    elif kind == 2:
        members[random.choice(("../x.npy", "/", "a" * 5000, "x", "images"))] = members.pop(name)
    else:
        members[name] = mutate_npy(members[name], random)
    written = io.BytesIO()
    method = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(written, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    found = bytearray(written.getvalue())
    if kind == 5:  # the size that the central directory says, which no checksum covers
        at = found.rfind(b"PK\x01\x02")
        found[at + 24 : at + 28] = struct.pack("<I", random.choice(HOSTILE_LENGTHS))
    return bytes(found)


def mutate_png(data: bytes, random: Random) -> bytes:
    """The chunks of a PNG file, with their checksums mended; or its bytes."""
    if not data.startswith(b"\x89PNG") or random.random() < 0.3:
        return mutate_bytes(data, random)
    chunks, at = [], 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + size]])
        at += 12 + size
    chunk = random.choice(chunks)
    kind = random.randrange(6)
    if kind <= 1:
        width, height = random.choices((*HOSTILE_LENGTHS, 28, 4000, 20_000), k=2)
        depth, colour = random.choice((1, 8, 16, 3)), random.choice((0, 2, 3, 4, 6, 5))
        chunks[0][1] = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    elif kind == 2:
        chunk[1] = mutate_bytes(chunk[1], random)
    elif kind == 3:
        chunk[1] = zlib.compress(bytes(random.choice((10**5, 10**7))))
    elif kind == 4:
        chunk[0] = random.choice((b"IDAT", b"PLTE", b"tRNS", b"zTXt", b"iCCP", b"acTL", b"IEND"))
    else:
        chunks.insert(random.randrange(len(chunks) + 1), list(random.choice(chunks)))
    mended = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:8] + b"".join(mended)


def mutate_safetensors(data: bytes, random: Random) -> bytes:
    """The header of a safetensors file, with its length mended; or its bytes."""
    (length,) = struct.unpack("<Q", data[:8])
    if random.random() < 0.3:
        return mutate_bytes(data, random)
    header = _dump_json(mutate_value(json.loads(data[8 : 8 + length]), random))
    if random.random() < 0.2:
        types = (b'"I64"', b'"BOOL"', b'"F8_E4M3"', b'"BF16"', b'"F64"', b'"U8"')
        header = header.replace(b'"F32"', random.choice(types))
    size = random.choice(HOSTILE_LENGTHS) if random.random() < 0.1 else len(header)
    return struct.pack("<Q", size) + header + data[8 + length :]


def any_of(*mutators: Mutator) -> Mutator:
    """A mutator that draws one of `mutators` for each file."""
    return lambda data, random: random.choice(mutators)(data, random)
