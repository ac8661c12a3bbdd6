#if Cluster
import CMillrace
import Logging
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Called by the C bootstrap in a program that is to be an agent, before `main`. Its first thread waits for signals: SIGTERM, as
/// Slurm sends it before a time limit, gives back what was leased.
@_cdecl("millrace_agent_entry")
func millraceAgentEntry(_ text: UnsafePointer<CChar>) {
  // Before there is another thread, so that all have it.
  var signals = sigset_t()
  sigemptyset(&signals)
  for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
  pthread_sigmask(SIG_BLOCK, &signals, nil)
  signal(SIGPIPE, SIG_IGN)
  WorkerExecutors.take(isFork: false) { fatalError("code of the main actor's ended its thread (pthread_exit)") }

  let logger = Logger(label: "millrace.agent")
  let agent: Agent
  let settings: AgentSettings
  do {
    settings = try readSettings(String(cString: text), logger)
    agent = try makeAgent(settings, logger)
    if settings.isTethered { try tether(agent) }
  } catch {
    logger.critical("this agent cannot begin: \(error)")
    _exit(AgentExit.refused)
  }
  Task {
    let end = await agent.run()
    if case .failed(let why) = end { logger.error("the agent ends: \(why)") }
    fflush(nil)
    _exit(exitCode(end, ofTethered: settings.isTethered))
  }
  while true {
    var number: Int32 = 0
    sigwait(&signals, &number)
    agent.leave()
  }
}

private func exitCode(_ end: Agent.End, ofTethered isTethered: Bool) -> Int32 {
  switch end {
  case .drained: isTethered ? AgentExit.drained : AgentExit.over
  case .finished, .driverGone, .told: AgentExit.over
  case .refused: AgentExit.refused
  case .failed: AgentExit.failed
  }
}

private func readSettings(_ text: String, _ logger: Logger) throws -> AgentSettings {
  if text == "stdin" { return try AgentSettings(text: readText(of: STDIN_FILENO)) }
  guard text.first == "@" else { return try AgentSettings(url: text) }
  let file = try SettingsFile(named: String(text.dropFirst()))
  if let warning = file.warning { logger.warning("\(warning)") }
  return try AgentSettings(text: file.text)
}

/// Up to an empty line, or the end.
func readText(of descriptor: Int32) -> String {
  // Behind the empty line a tether says nothing more.
  var bytes = [UInt8](repeating: 0, count: 1 << 16)
  var (end, looked) = (0, 1)
  while end < bytes.count {
    let count = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + end, $0.count - end) }
    if count < 0, errno == EINTR { continue }
    if count <= 0 { break }
    end += count
    while looked < end, bytes[looked] != 10 || bytes[looked - 1] != 10 { looked += 1 }
    if looked < end { break }
  }
  end = min(end, looked + 1)
  return String(decoding: bytes[..<end], as: UTF8.self)
}

private func makeAgent(_ settings: AgentSettings, _ logger: Logger) throws -> Agent {
  let lease = Duration.milliseconds(settings.leaseMilliseconds)
  var options = Agent.Options()
  options.slots = settings.slots
  options.process = Int(getpid())
  options.patience = lease
  options.name = settings.name.isEmpty ? nil : settings.name
  var name = [CChar](repeating: 0, count: 256)
  if gethostname(&name, name.count - 1) == 0 {
    options.host = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }
  // Without its server it is of no use, and lives no longer than its leases.
  let engine = RedisEngine(try settings.address(), job: settings.job, lease: lease, patience: lease)
  return Agent(engine, options, logger: logger)
}

/// Whoever has started it holds the other end of its standard input, and is gone when that is.
private func tether(_ agent: Agent) throws {
  try startThread("millrace-tether") {
    var byte: UInt8 = 0
    while true {
      let count = read(STDIN_FILENO, &byte, 1)
      if count == 0 || count < 0 && errno != EINTR { break }
    }
    agent.leave()
  }
}
#endif
