from twinwall.capture.error import CaptureError


def test_the_text_names_file_offset_cause_and_remedy():
    error = CaptureError("x.pcap", 7, "it broke", "mend it")
    assert str(error) == "x.pcap: at byte 7: it broke\n    remedy: mend it"
    assert (error.path, error.offset, error.cause, error.remedy) == ("x.pcap", 7, "it broke", "mend it")
