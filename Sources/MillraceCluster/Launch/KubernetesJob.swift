import Millrace

/// A Job of Kubernetes' whose pods are agents, as the YAML that `kubectl apply` takes.
struct KubernetesJob {
  var job: String
  var image: String
  var command: [String]
  var secret: String
  var agents: Int
  var slots: Int

  /// What an object may be called there: `[a-z0-9-]`, at most 63, and a letter or digit at both ends.
  static func name(of job: String) -> String {
    let name = "millrace-\(job)".lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" }.prefix(63)
    return String(String(name).reversed().drop { $0 == "-" }.reversed())
  }

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
