import Millrace

/// A Job of Kubernetes' whose pods are agents, as the YAML that `kubectl apply` takes.
struct KubernetesJob {
  var job: String
  var image: String
  var command: [String]
  var secret: String
  var agents: Int
  var slots: Int

  private static let prefix = "millrace-"

  /// What an object may be called there: `[a-z0-9-]`, at most 63, and a letter or digit at both ends.
  static func name(of job: String) -> String {
    let name = (prefix + job).lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }
    return String(String(name).reversed().drop { $0 == "-" }.reversed())
  }

  /// What Kubernetes, or an agent, would refuse later and elsewhere, and what would say something else in YAML.
  func validate() throws(InvalidOption) {
    try ClusterLaunch.check(job: job)
    // Cut off, two jobs could have one name, and the second would take the first one's place.
    let most = 63 - Self.prefix.count
    guard job.utf8.count <= most else {
      throw InvalidOption(name: "job", value: job, allowed: "\(most) characters at the most, for Kubernetes")
    }
    guard let first = image.utf8.first, Self.isWord(first),
      image.utf8.allSatisfy({ Self.isWord($0) || "._-/:@".utf8.contains($0) })
    else {
      throw InvalidOption(
        name: "image", value: Self.shown(image),
        allowed: "an image as registry/name:tag, of letters, digits, '.', '_', '-', '/', ':' and '@'")
    }
    guard let program = command.first, !program.isEmpty, !command.contains(where: { $0.utf8.contains(0) }) else {
      throw InvalidOption(name: "command", value: "\(command)", allowed: "at least a program, without a NUL")
    }
    guard secret.utf8.count <= 253,
      secret.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isLabel)
    else {
      throw InvalidOption(
        name: "secret", value: Self.shown(secret),
        allowed:
          "a name of Kubernetes': small letters, digits, '-' and '.', with a letter or digit at both ends, 253 characters at the most"
      )
    }
    try ClusterLaunch.check("agents", agents)
    try ClusterLaunch.check("slots", slots)
  }

  /// Of RFC 1123.
  private static func isLabel(_ text: Substring) -> Bool {
    let bytes = text.utf8
    func isPlain(_ byte: UInt8) -> Bool { isWord(byte) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }
    guard let first = bytes.first, let last = bytes.last, isPlain(first), isPlain(last) else { return false }
    return bytes.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    byte < 128 && (Character(UnicodeScalar(byte)).isLetter || Character(UnicodeScalar(byte)).isNumber)
  }

  /// So that one sees that it is empty, or has a blank at its end.
  private static func shown(_ text: String) -> String { text.quotedForJSON }

  /// Strings are those of JSON, which YAML has too. A pod that fails is started again in its place; one that has ended well is not, for the job is
  /// over, or it was drained. No number of completions: the pods share their work.
  var text: String {
    """
    apiVersion: batch/v1
    kind: Job
    metadata:
      name: \(Self.name(of: job).quotedForJSON)
    spec:
      parallelism: \(agents)
      backoffLimit: 1000
      template:
        spec:
          restartPolicy: OnFailure
          terminationGracePeriodSeconds: 30
          containers:
            - name: agent
              image: \(image.quotedForJSON)
              command: [\(command.map(\.quotedForJSON).joined(separator: ", "))]
              env:
                - name: \(AgentSettings.variable)
                  value: "@/etc/millrace/agent"
              resources:
                requests:
                  cpu: "\(slots)"
              volumeMounts:
                - name: settings
                  mountPath: /etc/millrace
                  readOnly: true
          volumes:
            - name: settings
              secret:
                secretName: \(secret.quotedForJSON)
                defaultMode: 256

    """
  }
}
