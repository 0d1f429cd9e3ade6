"""Reads a TensorBoard event file on its own terms: framing, masked CRC-32C, protobuf. Prints one line of JSON per event."""
import json, struct, sys

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

def masked(data):
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at

def fields(data):
    """[(field number, value)]: a message's fields, undecoded."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                assert key & 7 == 2
                size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        found.append((key >> 3, value))
    return found

def value_of(message):
    f = dict(fields(message))
    value = {"tag": f[1].decode()}
    if 2 in f:
        value["scalar"] = struct.unpack("<f", f[2])[0]
    if 4 in f:
        i = dict(fields(f[4]))
        value["image"] = [i[1], i[2], i[3], i[4][:8].hex()]
    return value

data = open(sys.argv[1], "rb").read()
while data:
    size, crc = struct.unpack_from("<QI", data)
    body = data[12:12 + size]
    assert crc == masked(data[:8]) and masked(body) == struct.unpack_from("<I", data, 12 + size)[0], "checksum"
    data = data[16 + size:]
    event = dict(fields(body))
    assert struct.unpack("<d", event[1])[0] > 1.6e9, "wall time"
    line = {"step": event[2]}
    if 3 in event:
        line["version"] = event[3].decode()
    if 5 in event:
        line["values"] = [value_of(v) for _, v in fields(event[5])]
    if 7 in event:
        line["session"] = dict(fields(event[7]))[1]
    print(json.dumps(line))
