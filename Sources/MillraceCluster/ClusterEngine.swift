#if Cluster
import Millrace
import MillraceIPC

/// The queue through which a program and its agents work together.
public struct ClusterEngine: Sendable {
  enum Kind: Sendable {
    case redis(String)
    case managed
  }

  let kind: Kind
  let job: String?

  /// A Redis server, 6.2 or later, or any Valkey, that is there already.
  ///
  /// With TLS it is `rediss://host:port/database?ca=/path/to/ca.pem`. The server's certificate has to be of the host of the URL, and signed
  /// by somebody of `ca` (PEM), or whom the system trusts without it. `cert` and `key` are this client's own, for servers that want
  /// one; `verify=none` trusts anybody, which is for tests. Agents are given all of it.
  ///
  /// Its `maxmemory-policy` has to be `noeviction`. It need not keep anything on disk: what it forgets, the program submits again.
  ///
  /// - Parameters:
  ///   - url: `redis://user:password@host:port/database`; all but the host may be left out.
  ///   - job: The name of the job, which its keys have in them. Agents that are started by hand need it, and maps that
  ///     outlive their program (``Millrace/WorkerPool/outcomes(of:with:resuming:order:options:)``). One program has it at a time:
  ///     a second takes it over, and the first one's maps end. Default: a fresh one for each pool.
  public static func redis(_ url: String, job: String? = nil) -> ClusterEngine {
    ClusterEngine(kind: .redis(url), job: job)
  }

  /// A `redis-server` that the pool starts itself, on a free port of this machine, and that ends with it. It has to be on the `PATH`.
  ///
  /// Only this machine can come to it. Agents of ``ClusterLaunch/ssh(_:path:)`` do through `ssh -R`; with those of
  /// ``ClusterLaunch/slurm(agents:slots:folder:options:)`` and ``ClusterLaunch/external`` it is refused, with an ``Millrace/InvalidOption``.
  public static let managed = ClusterEngine(kind: .managed, job: nil)
}

extension ClusterEngine: CustomStringConvertible {
  /// Without user and password.
  public var description: String {
    switch kind {
    case .managed: ".managed"
    case .redis(let url): ".redis(\"\((try? RedisAddress(url)).map { "\($0)" } ?? RedisAddress.masked(url))\")"
    }
  }
}
#endif
