"""The tests sign and encrypt as the platform does: examples that the platform wrote."""

from tests.support.signing import encrypted, signed


def test_a_cookie_is_signed_as_the_platform_signs_it() -> None:
    assert signed("token-2") == "token-2.vsJASH1lYAzfxUI4oehSUAlUDc4q4x%2FGO0O%2BrJiZehk%3D"


def test_a_key_is_encrypted_as_the_platform_encrypts_it() -> None:
    assert encrypted("sk-sim-AbCdEfGhIjKlMnOpQrStUvWxYz012345") == (
        "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
        ":e04b581a5c1a80f067364c737a7c354d19b441295d10bc02612e776cb977f98e62ae14a89c7ee9"
        ":42b82a4512b39b0cecc82401f2d7f9a2"
    )
