#if Cluster
import NIOCore
import NIOSSL

extension RedisTLS {
  /// What all connections of a client have in common.
  func context() throws(EngineError) -> NIOSSLContext {
    let parts = try read()
    var settings = TLSConfiguration.makeClientConfiguration()
    settings.minimumTLSVersion = .tlsv12
    settings.certificateVerification = verifies ? .fullVerification : .none
    // A server that is stopped does not hold up whoever leaves.
    settings.shutdownTimeout = .milliseconds(500)
    do {
      if let text = parts.authorities {
        settings.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)))
      }
    } catch { throw .address("one whose ca= has certificates: \(error)") }
    do {
      if let text = parts.certificate, let key = parts.key {
        settings.certificateChain = try NIOSSLCertificate.fromPEMBytes(Array(text.utf8)).map { .certificate($0) }
        settings.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))
      }
      return try NIOSSLContext(configuration: settings)
    } catch { throw .address("one whose cert= and key= belong together: \(error)") }
  }
}

extension RedisAddress {
  /// Its own name, where it has one: for one of numbers the certificate has to have these.
  var serverName: String? { (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil }
}

extension EngineError {
  /// The probe has more to say of it.
  static let unsigned = EngineError.untrusted("nobody who is trusted has signed its certificate")

  /// What has ended a connection.
  static func ofConnection(_ error: any Error) -> EngineError {
    if let error = error as? EngineError { return error }
    if let error = error as? NIOSSLExtraError {
      guard [.failedToValidateHostname, .serverHostnameImpossibleToMatch].contains(error) else {
        return .unreachable("\(error)")
      }
      return .untrusted("its certificate is of another host; a name in it has to be the one in the address (\(error))")
    }
    if case NIOSSLError.handshakeFailed(let cause) = error, "\(cause)".contains("CERTIFICATE_VERIFY_FAILED") {
      return .unsigned
    }
    return ofAlert("\(error)")
  }

  /// What the server has said of our certificate, which it may do when all else is done.
  private static func ofAlert(_ text: String) -> EngineError {
    guard
      text.contains("ALERT_CERTIFICATE_REQUIRED") || text.contains("ALERT_UNKNOWN_CA")
        || text.contains("ALERT_BAD_CERTIFICATE") || text.contains("ALERT_HANDSHAKE_FAILURE")
    else { return .unreachable(text) }
    return .refused("the certificate of this client, which cert= and key= of the address name (\(text))")
  }
}
#endif
