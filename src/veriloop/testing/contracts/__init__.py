"""Contract suites: what every part of a family must do, ours or a plug-in's.

Each function takes a part and real samples that suit it, and raises AssertionError with a reason, and no
other exception: what a faulty part raises becomes the reason. They are made to be called from a test:

    from veriloop.testing import check_verifier

    def test_my_verifier_keeps_the_contract():
        check_verifier(MyVerifier(), generator, real, conditions)
"""
