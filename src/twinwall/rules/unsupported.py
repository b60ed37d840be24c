"""Keywords that belong to Suricata's language and that twinwall cannot match yet (names: Suricata 7.0 and 8.0, AWS)."""

from __future__ import annotations

UNSUPPORTED_KEYWORDS = frozenset(
    """
    absent app-layer-event app-layer-protocol app-layer-state asn1 aws_domain_category aws_route_53_resolved_domain
    aws_url_category base64_data base64_decode bsize bypass byte_extract byte_jump byte_math byte_test cip_service
    compress_whitespace config content datarep dataset dcerpc.iface dcerpc.opnum dcerpc.stub_data decode-event depth
    detection_filter dhcp.leasetime dhcp.rebinding_time dhcp.renewal_time distance dnp3.data dnp3_data dnp3_func dnp3_ind
    dnp3_obj dns.answer.name dns.opcode dns.query dns.query.name dns.rcode dns.rrtype dns_query domain dotprefix endswith
    engine-event enip_command entropy fast_pattern file.data file.magic file.name file_data fileext filemagic filemd5
    filename filesha1 filesha256 filesize filestore flow.age flow.bytes flow.bytes_toclient flow.bytes_toserver flow.pkts
    flow.pkts_toclient flow.pkts_toserver flowint flowvar frame from_base64 ftp.command ftp.command_data ftpbounce
    ftpdata_command geoip gunzip header_lowercase hostbits http.accept http.accept_enc http.accept_lang http.connection
    http.content_len http.content_type http.cookie http.header http.header.raw http.header_names http.host http.host.raw
    http.location http.method http.protocol http.referer http.request_body http.request_header http.request_line
    http.response_body http.response_header http.response_line http.server http.start http.stat_code http.stat_msg
    http.uri http.uri.raw http.user_agent http2.errorcode http2.frametype http2.header_name http2.priority http2.settings
    http2.size_update http2.window http_client_body http_content_type http_cookie http_header http_host http_method
    http_raw_header http_raw_host http_raw_uri http_request_line http_server_body http_stat_code http_stat_msg http_uri
    http_user_agent icmpv4-csum icmpv4.hdr icmpv6-csum icmpv6.hdr icmpv6.mtu ike.chosen_sa_attribute ike.exchtype
    ike.init_spi ike.key_exchange_payload ike.key_exchange_payload_length ike.nonce_payload ike.nonce_payload_length
    ike.resp_spi ike.vendor ip.dst ip.src iprep ipv4-csum ipv4.hdr ipv6.hdr isdataat ja3.hash ja3.string ja3_hash
    ja3s.hash ja3s.string ja4.hash krb5.cname krb5.sname krb5.ticket_encryption krb5_cname krb5_err_code krb5_msg_type
    krb5_sname l3_proto lua luajit luaxform modbus mqtt.connack.session_present mqtt.connect.clientid mqtt.connect.flags
    mqtt.connect.password mqtt.connect.username mqtt.connect.willmessage mqtt.connect.willtopic mqtt.flags
    mqtt.protocol_version mqtt.publish.message mqtt.publish.topic mqtt.qos mqtt.reason_code mqtt.subscribe.topic mqtt.type
    mqtt.unsubscribe.topic nfq_set_mark nfs.version nfs_procedure nfs_version nocase offset pcre pcrexform pkt_data pktvar
    prefilter quic.cyu.hash quic.cyu.string quic.sni quic.ua quic.version rawbytes replace requires rfb.name rfb.secresult
    rfb.sectype rpc sip.method sip.protocol sip.request_line sip.response_line sip.stat_code sip.stat_msg sip.uri
    smb.named_pipe smb.ntlmssp_domain smb.ntlmssp_user smb.share snmp.community snmp.pdu_type snmp.usm snmp.version
    ssh.hassh ssh.hassh.server ssh.hassh.server.string ssh.hassh.string ssh.proto ssh.protoversion ssh.software
    ssh.softwareversion ssh_proto ssh_software ssl_state ssl_version startswith stream-event stream_size
    strip_pseudo_headers strip_whitespace tag target tcp.hdr tcp.mss tcp.wscale tcpv4-csum tcpv6-csum threshold tls.alpn
    tls.cert_chain_len tls.cert_fingerprint tls.cert_issuer tls.cert_serial tls.cert_subject tls.certs tls.fingerprint
    tls.issuerdn tls.random tls.random_bytes tls.random_time tls.sni tls.subject tls.subjectaltname tls.version
    tls_cert_expired tls_cert_issuer tls_cert_notafter tls_cert_notbefore tls_cert_serial tls_cert_subject tls_cert_valid
    tls_sni tls_store to_lowercase to_md5 to_sha1 to_sha256 to_uppercase udp.hdr udpv4-csum udpv6-csum uricontent urilen
    url_decode vlan.id vlan.layers within xbits xor zlib_deflate
    """.split()  # noqa: SIM905 - a list of 300 strings reads worse
)
