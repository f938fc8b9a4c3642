"""Ed25519: published and computed vectors, edge scalars, the table, the yields."""

from binascii import hexlify, unhexlify

from helpers import raises

from wamp import _ed25519_int, _ed25519_inverse, _ed25519_numbers, _ed25519_verify, ed25519
from wamp._ed25519_copies import COPIES
from wamp._ed25519_table import TABLE
from wamp.errors import ConfigurationError

_P = (1 << 255) - 19
_L = (1 << 252) + 27742317777372353535851937790883648493

LONG = (
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f5"
    "4e9f77b1e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37"
    "c93a1b270b20329d658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efc"
    "b8550ee3a5e1998bd177e93a7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b"
    "3b310da903401aa62100ab5d1a36553e06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573c"
    "b116dbeffefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd720"
    "4ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d95629e9855a94a7c195"
    "8d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40cc2"
    "4554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c"
    "65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a"
    "2cf65bd92dd597b07e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a7"
    "1314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be"
    "3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b"
    "47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb0"
    "38dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517"
    "b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d"
    "78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2"
    "ab47b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5"
    "011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f"
    "9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e"
    "989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa93"
    "3a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380db2eaaa707b4c4185c"
    "32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8cac60c905c1"
    "5fc910840b94c00a0b9d00"
)

# name, private key, public key, message, signature
VECTORS = (
    (
        "RFC 8032 7.1 TEST 1",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "RFC 8032 7.1 TEST 2",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "RFC 8032 7.1 TEST 3",
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "RFC 8032 7.1 TEST 1024",
        "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
        "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
        LONG,
        "d686294b743c6760c6a78a2c4c2fc76115c2600b8f083acde59e7cee32578c0f"
        "59ea4219ab9b5896795e4e2b87a30270aa0e3099eee944e9e67a1b22df41ff07",
    ),
    (
        "RFC 8032 7.1 TEST SHA(abc)",
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
    # The next two: computed with PyNaCl.
    (
        "all zero",
        "00" * 32,
        "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
        "00",
        "1b9da904f12708363c88d4b96b33b474b2a5a863e290be2be5d4cacef8a5cbac"
        "1c0132c3e20e477d7affd1491be6577e8b83af012773beaf51c6df3f4af95b0e",
    ),
    (
        "all ones",
        "ff" * 32,
        "76a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5",
        "ff" * 64,
        "cb1232a280f5fe508265a610ef4d82c0bf44039436dc2479cbd5f27ab206c5d0"
        "1446eefe438120c01ebe3c06eb027ecb194cb85ca8fdbc2a313fc034b22bb503",
    ),
)

# scalar, scalar * B as written down in RFC 8032; B has order L.
MULTIPLES = (
    (0, "01" + "00" * 31),
    (1, "58" + "66" * 31),
    (2, "c9a3f86aae465f0e56513864510f3997561fa2c9e85ea21dc2292309f3cd6022"),
    (8, "b4b937fca95b2f1e93e41e62fc3c78818ff38a66096fad6e7973e5c90006d321"),
    (_L - 1, "58" + "66" * 30 + "e6"),
    (_L, "01" + "00" * 31),
    (_L + 1, "58" + "66" * 31),
    ((1 << 255) - 1, "af9b6a948d400c38197f1d0675ec3d6630780c67ad4dfc7e5fe6e6a39cc90fd3"),
)


def times(scalar):
    """scalar * B by whatever is in use here."""
    return ed25519.run(ed25519._curve.base_times(ed25519._columns(scalar)))


def numbers_here():
    """What signatures are verified with here."""
    return _ed25519_numbers.numbers(ed25519._curve.accelerator)


def flipped(octets, bit):
    """The octets with one bit changed."""
    changed = bytearray(octets)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


def test_public_keys():
    for name, seed, public, _, _ in VECTORS:
        computed = ed25519.run(ed25519.public_key(unhexlify(seed)))
        assert hexlify(computed).decode() == public, name


def test_signatures():
    for name, seed, public, message, signature in VECTORS:
        generator = ed25519.sign(unhexlify(seed), unhexlify(public), unhexlify(message))
        assert hexlify(ed25519.run(generator)).decode() == signature, name


def test_edge_multiples_of_the_base_point():
    for scalar, point in MULTIPLES:
        assert hexlify(times(scalar)).decode() == point, scalar


def test_plain_integers_with_and_without_the_copies_of_the_table():
    tables = _ed25519_int._TABLES
    assert tables == (TABLE,) + COPIES
    for used in (tables, (TABLE,)):
        _ed25519_int._TABLES = used
        try:
            for scalar, point in MULTIPLES:
                columns = ed25519._columns(scalar)
                computed = ed25519.run(_ed25519_int.base_times(columns))
                assert hexlify(computed).decode() == point, (len(used), scalar)
        finally:
            _ed25519_int._TABLES = tables


def test_signatures_that_are_right():
    for name, _, public, message, signature in VECTORS:
        if len(message) < 200:
            parts = unhexlify(public), unhexlify(message), unhexlify(signature)
            assert ed25519.run(ed25519.verify(*parts)) is True, name


def test_signatures_that_are_wrong():
    _, _, public, message, signature = VECTORS[2]
    public, message, signature = unhexlify(public), unhexlify(message), unhexlify(signature)
    rows = [(public, message, flipped(signature, bit)) for bit in (0, 100, 255, 256, 300)]
    rows.append((public, flipped(message, 3), signature))
    rows.append((public, message + b"0", signature))
    rows.append((flipped(public, 0), message, signature))  # no point of the curve
    rows.append((flipped(public, 255), message, signature))
    rows.append((flipped(public, 4), message, signature))
    rows.append((unhexlify(VECTORS[0][2]), message, signature))
    # The second half is written down with more than it may have.
    larger = int.from_bytes(signature[32:], "little") + _L
    rows.append((public, message, signature[:32] + larger.to_bytes(32, "little")))
    for row in rows:
        assert ed25519.run(ed25519.verify(*row)) is False, hexlify(b"".join(row))


def test_keys_under_which_anything_can_be_signed():
    # Points of small order, some with y written down as y + p: R = s * B passes the plain check
    # for many messages.
    small = (
        "00" * 32,
        "00" * 31 + "80",
        "01" + "00" * 31,
        "01" + "00" * 30 + "80",
        "ec" + "ff" * 30 + "7f",
        "ec" + "ff" * 31,
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
    signature = unhexlify(MULTIPLES[1][1]) + b"\x01" + bytes(31)  # R = B, s = 1
    for public in small:
        for n in range(2):
            right = ed25519.run(ed25519.verify(unhexlify(public), bytes([n]), signature))
            assert right is False, public


def test_points():
    def point(octets):
        return ed25519.run(_ed25519_verify._point(numbers_here(), octets))

    for _, octets in MULTIPLES:
        octets = unhexlify(octets)
        x, y = point(octets)
        assert (y | (x & 1) << 255).to_bytes(32, "little") == octets
        assert (y * y - x * x - 1 - _ed25519_verify._D * x * x * y * y) % _P == 0
    for y in (_P, _P + 1, (1 << 255) - 1, 2, (1 << 255) + 1):
        assert point(y.to_bytes(32, "little")) is None, y


def test_numbers():
    for make in (_ed25519_numbers.Integers, numbers_here):
        numbers = make()
        values = [(1 << 255) - 20, (1 << 255) - 18, (1 << 256) - 1, 0, 38, 12345]
        for place, value in enumerate(values):
            numbers.set(place, value)
        numbers.run(b"\x02\x06\x00\x01\x00\x07\x06\x02\x01\x08\x03\x04\x01\x03\x03\x05")
        assert [numbers.get(place) for place in range(4)] == [_P - 1, 1, 37, _P - 12345]
        assert [numbers.get(place) for place in (6, 7, 8)] == [_P - 1, 36, _P - 38]
        numbers.square(9, 5, 3)
        assert numbers.get(9) == 12345**8 % _P


def test_every_table_entry_is_a_point_of_the_curve():
    # With u = (y - x) / 2 and v = (y + x) / 2: y^2 - x^2 = 4 u v, and the third number, d x y,
    # times x y is d x^2 y^2, so 4 u v = 1 + (third) x y.
    assert [len(table) for table in (TABLE,) + COPIES] == [16 * 96] * 3
    octets = TABLE + COPIES[0] + COPIES[1]
    for start in range(0, len(octets), 96):
        u, v, third = [
            int.from_bytes(octets[i : i + 32], "little") for i in range(start, start + 96, 32)
        ]
        assert u < _P and v < _P and third < _P, start
        x = v - u
        y = v + u
        assert (4 * u * v - 1 - third * x * y) % _P == 0, start
        assert (third * 121666 + 121665 * x * y) % _P == 0, start


def test_inverse():
    values = [1, 2, 3, 19, (1 << 64) - 1, 1 << 254, _P - 2, _P - 1]
    for bit in range(0, 255, 13):
        values += [1 << bit, _P - (1 << bit)]
    values += [_P // n for n in range(2, 40)] + [_P // n + 1 for n in range(2, 40)]
    for value in values:
        assert ed25519.run(_ed25519_inverse.inverse(value)) * value % _P == 1, value


def test_long_computations_yield():
    _, seed, public, message, _ = VECTORS[1]
    seed = unhexlify(seed)
    for generator, least in (
        (ed25519.public_key(seed), 10),
        (ed25519.sign(seed, unhexlify(public), unhexlify(message)), 10),
        (ed25519.verify(unhexlify(public), unhexlify(message), bytes(64)), 40),
    ):
        steps = list(generator)
        assert least <= len(steps) <= 120, len(steps)
        assert not [step for step in steps if step is not None]


def test_interleaved_computations_share_no_state():
    running = []
    for name, seed, public, message, signature in VECTORS[:3]:
        generator = ed25519.sign(unhexlify(seed), unhexlify(public), unhexlify(message))
        running.append((name, generator, signature))
    done = 0
    while running:
        for entry in list(running):
            name, generator, signature = entry
            try:
                next(generator)
            except StopIteration as stop:
                assert hexlify(stop.value).decode() == signature, name
                running.remove(entry)
                done += 1
    assert done == 3


def test_wrong_lengths_are_configuration_errors():
    for length in (0, 31, 33, 64):
        key = bytes(length)
        for make in (
            ed25519.public_key,
            lambda k: ed25519.sign(k, bytes(32), b""),
            lambda k: ed25519.sign(bytes(32), k, b""),
            lambda k: ed25519.verify(k, b"", bytes(64)),
        ):
            error = raises(ConfigurationError, ed25519.run, make(key))
            assert str(length) in str(error), length
    for length in (0, 63, 65, 128):
        raises(ConfigurationError, ed25519.run, ed25519.verify(bytes(32), b"", bytes(length)))
