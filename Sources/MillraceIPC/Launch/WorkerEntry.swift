#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Called by the C bootstrap in every spawned worker, before `main`: reads who is to run, and runs it.
@_cdecl("millrace_worker_entry")
func millraceWorkerEntry(_ control: Int32) {
  let control = ControlSocket(owning: Descriptor(owning: control))
  KillPoint.workerStarts.reach()
  guard case .message(let message)? = try? control.receive(),
    let introduction = WorkerIntroduction(bytes: message.bytes)
  else { millrace_worker_exit(WorkerExitCode.noIntroduction) }
  guard introduction.fingerprint == .current else {
    refuse(
      "the program is build \(introduction.fingerprint), this worker is build \(BuildFingerprint.current)",
      WorkerExitCode.otherBuild)
  }
  guard let main = introduction.main.resolve() as? any WorkerMain.Type else {
    refuse("this worker cannot find the type that it is to run", WorkerExitCode.unknownType)
  }
  KillPoint.workerIsIntroduced.reach()
  millrace_worker_exit(main.run(control: control))
}

private func refuse(_ reason: String, _ code: Int32) -> Never {
  let line = Array("millrace: \(reason)\n".utf8)
  _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  millrace_worker_exit(code)
}
#endif
