#if CLI
internal import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Starts the processes of jobs: the program itself where that is the same, a shell where not.
struct JobSpawner: Sendable {
  let template: CommandTemplate
  let shell: Shell
  private let environment: [Bytes]
  private let ownID = getpid()
  /// Where the processes of the jobs are found.
  let processes = ProcessTable()
  /// Standard input of every job.
  private let nullInput: Int32

  /// - Parameter environment: variables for the jobs (`NAME=value`), without the marks of a job.
  init(template: CommandTemplate, environment: [Bytes], starting: StartingShell? = nil) throws {
    self.template = template
    shell = try Shell(environment: environment, starting: starting)
    // Where no job can do without it, none is begun.
    if template.words == nil, let problem = shell.problem { throw problem }
    let markNames = Self.markNames.map { Bytes("\($0)=".utf8) }
    self.environment = environment.filter { variable in !markNames.contains { variable.starts(with: $0) } }
    nullInput = open("/dev/null", O_RDONLY | O_CLOEXEC)
    guard nullInput >= 0 else { throw SystemError("cannot open /dev/null") }
  }

  private static let markNames = ["PARALLEL_PID", "PARALLEL_SEQ", "PARALLEL_JOBSLOT"]

  /// The variables that tell a job who it is, named as in GNU parallel, and the one that tells us which processes are its own.
  private func marks(_ job: JobValues) -> [Bytes] {
    zip(Self.markNames, [Int(ownID), job.sequence, job.slot]).map { Bytes("\($0)=\($1)".utf8) }
      + [processes.mark + Bytes("\(job.sequence)".utf8)]
  }

  /// The variables of this program.
  static func ownEnvironment() -> [Bytes] {
    var variables: [Bytes] = []
    var next = environ
    while let text = next.pointee {
      variables.append(Bytes(UnsafeRawBufferPointer(start: text, count: strlen(text))))
      next += 1
    }
    return variables
  }

  /// Starts a job in a process group of its own, with these descriptors as its output and error.
  ///
  /// After an error no process is left.
  func start(_ job: JobValues, output: Int32, error: Int32) throws(SystemError) -> pid_t {
    let variables = environment + marks(job)
    if let arguments = template.arguments(for: job), shell.onlyStarts(arguments[0]) {
      do throws(SystemError) {
        return try spawn(arguments, variables, output, error)
      } catch {
        // Not there, no program, too long: the shell knows the words and the exit code for it.
        if error.isWantOfRoom { throw error }
      }
    }
    do throws(SystemError) {
      return try spawn(shell.arguments(toRun: template.text(for: job)), variables, output, error)
    } catch {
      throw error.code == ENOENT || error.code == EACCES ? shell.startError(error.code) : error
    }
  }

  private func spawn(
    _ arguments: [Bytes], _ variables: [Bytes], _ output: Int32, _ error: Int32
  ) throws(SystemError) -> pid_t {
    guard !arguments.contains(where: { $0.contains(0) }) else {
      throw SystemError("a NUL byte in an input cannot be passed to a command (did you mean --null?)", code: EINVAL)
    }
    var process: pid_t = 0
    let failure = withCStrings(arguments) { arguments in
      withCStrings(variables) { variables in
        millrace_job_spawn(arguments[0]!, arguments, variables, nullInput, output, error, &process)
      }
    }
    guard failure == 0 else { throw SystemError("cannot start a process", code: failure) }
    return process
  }
}

/// The strings as C wants them: a list of pointers that ends in nil.
private func withCStrings<Result>(
  _ strings: [Bytes], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  let size = strings.reduce(0) { $0 + $1.count + 1 }
  return withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { text in
    withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: strings.count + 1) { pointers in
      var place = text.baseAddress!
      for (position, string) in strings.enumerated() {
        pointers[position] = place
        string.withUnsafeBytes { bytes in
          if let start = bytes.baseAddress { memcpy(place, start, bytes.count) }
        }
        place[string.count] = 0
        place += string.count + 1
      }
      pointers[strings.count] = nil
      return body(pointers.baseAddress!)
    }
  }
}
#endif
