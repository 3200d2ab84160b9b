"""Contract suites: what every part of a family must do, built in or plug-in.

Each function takes a part and real samples that suit it, and raises only AssertionError, with a reason:
errors of a faulty part become the reason. They are meant to be called from a test:

    from veriloop.testing import check_verifier

    def test_my_verifier_keeps_the_contract():
        check_verifier(MyVerifier(), generator, real, conditions)
"""
