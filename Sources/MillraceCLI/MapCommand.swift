#if CLI
import ArgumentParser
import Millrace
internal import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `millrace map`: the interface; the work is `MapRun`'s.
struct MapCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "map",
    abstract: "Run a command for each input, several at once.",
    usage: """
      millrace map [<options>] <command> ... ::: <value> ...
      millrace map [<options>] <command> ... < values
      millrace map [<options>] <command> ... :::: <file> ...
      """,
    discussion: """
      Options stand before the command. A command of several words, or with pipes and redirections in one quoted word, \
      is read by $PARALLEL_SHELL, the shell that started millrace, $SHELL or /bin/sh, whichever is first a shell of the \
      Bourne family, so exported functions of a bash script can be called; values are quoted, so spaces, quotes and newlines in them are safe. Without a command each value is a command itself.

      Replacement strings:
        {}    the value                     {1} {-1}   of the first, last source
        {.}   without extension             {1.} {1/} {1//} {1/.}   their parts
        {/}   without directory             {#}        the job's number
        {//}  its directory                 {%}        the slot's number
        {/.}  without either
      A command with none of them gets the values appended.

      Sources:
        ::: a b     values                  :::+ a b    linked to the source before
        :::: file   lines (- is stdin)      ::::+ file  lines, linked
      Several sources give every combination. Without a source, values are the lines of standard input.

      Options in $PARALLEL stand before all others. GNU parallel's other names of these options are taken too.

      Jobs read /dev/null. Each runs in its own process group and knows PARALLEL_SEQ and PARALLEL_JOBSLOT. A job has \
      ended when its command has; output of what it leaves behind is not waited for.

      Where the system is short of descriptors, processes or memory, fewer jobs run at once, and one line says so.

      Ctrl-C starts no new job, a second one ends the running jobs, a third kills them. After SIGTERM running jobs have \
      5 seconds before they are ended. Ctrl-\\ kills them, Ctrl-Z stops them too. A job that is to end gets SIGTERM, and \
      SIGKILL a second later. Until the run begins, while files are opened and sources read that are held, any of them \
      ends it at once.

      Exit code: the number of failed jobs up to 100, 101 for more; with --halt that of the job that stopped the run, \
      or the percentage of failed jobs; 64 for a wrong command line, 130, 131 and 143 after Ctrl-C, Ctrl-\\ and SIGTERM, 141 when \
      the reader of the output has gone, 255 for other errors.

      Examples:
        millrace map gzip ::: *.log
        find . -name '*.wav' -print0 | millrace map -0 -j 4 'ffmpeg -i {} {.}.mp3'
        millrace map -k --tag 'curl -sI {} | head -1' :::: urls.txt
        millrace map --joblog log --retries 3 ./train {1} {2} ::: 1 2 ::: adam sgd
      """)

  @OptionGroup(title: "Inputs") var inputs: InputOptions
  @OptionGroup(title: "Running") var running: RunningOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command, and the sources of its values.", valueName: "command"),
    completion: .shellCommand("compgen -c"))
  var words: [String] = []

  struct InputOptions: ParsableArguments {
    @Option(
      name: [.customShort("a"), .customLong("arg-file")],
      parsing: .unconditionalSingleValue,
      help: ArgumentHelp(
        "Take values from the lines of a file (again for several; - is standard input).", valueName: "file"),
      completion: .file())
    var files: [String] = []

    @Flag(name: [.customShort("0"), .customLong("null")], help: "Values in files end with NUL instead of newline.")
    var null = false

    @Option(
      name: [.customShort("C"), .customLong("colsep")], parsing: .unconditional,
      help: ArgumentHelp("Split values into columns {1} {2} ... at this regular expression.", valueName: "regex"))
    var columnSeparator: String?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Leave out white space before (l), after (r) or around (lr) values and columns; lr with --colsep, else n, none.",
        valueName: "sides"))
    var trim: String?

    @Flag(help: "Take one value of each source for a job; a source that is shorter begins again.")
    var link = false

    @Flag(
      name: [.customShort("r"), .customLong("no-run-if-empty")], help: "Leave out values of nothing but white space.")
    var noRunIfEmpty = false
  }

  struct RunningOptions: ParsableArguments {
    @Option(
      name: [.customShort("j", allowingJoined: true), .customLong("jobs")], parsing: .unconditional,
      help: ArgumentHelp(
        "Jobs at once: a number, a percentage of the CPUs, +n or -n beside their number, or 0 for as many as there is room for, at most 1000.",
        valueName: "n"))
    var jobs = MapCommand.usualJobs

    @Flag(
      name: [.customShort("q"), .customLong("quote")],
      help: "The command's words mean themselves, quotes and $ in them too.")
    var quote = false

    @Flag(name: .customLong("dry-run"), help: "Print the commands instead of running them.")
    var dryRun = false

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "End a job and all its processes after this time: seconds, 90s, 2m, 1h, 1d, or a percentage of the median of the jobs that succeeded.",
        valueName: "time"))
    var timeout: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Try a job up to n times until it succeeds.", valueName: "n"))
    var retries = 1

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Stop early: never, or now (end running jobs) or soon (let them finish), then fail, success or done with a number or percentage of jobs, as in now,fail=1.",
        valueName: "when,why"))
    var halt = "never"

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Log each job as it ends, in GNU parallel's columns; +file goes on with a log.", valueName: "file"),
      completion: .file())
    var joblog: String?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "Run the jobs on the agents of a cluster: redis://host:6379/0?job=name, or @file with url= and job=. -j is then how many may be out at once, 64 if it is not said.",
        valueName: "queue"))
    var cluster: String?

    @Option(
      parsing: .unconditional,
      help: ArgumentHelp(
        "With --cluster: start agents there with ssh, as in host1:4,host2:8, jobs at once behind the colon. Without it others start them.",
        valueName: "hosts"))
    var hosts: String?
  }

  struct OutputOptions: ParsableArguments {
    @Flag(
      name: [.customShort("k"), .customLong("keep-order")],
      help: "Print outputs in the order of the inputs; those that wait are kept in memory and in $TMPDIR.")
    var keepOrder = false

    @Flag(help: "Print the values and a tab before each line.")
    var tag = false

    @Flag(help: "Print a job's output whole when it ends (the default).")
    var group = false

    @Flag(
      name: [.customLong("line-buffer"), .customLong("lb")],
      help: "Print whole lines as they come (with --keep-order each job whole, when it has ended, in its turn).")
    var lineBuffer = false

    @Flag(name: [.customShort("u"), .customLong("ungroup")], help: "Let jobs write directly; lines may mix.")
    var ungroup = false

    @Flag(help: "Show on standard error how many jobs are done, and how fast.")
    var progress = false

    @Flag(help: "Show that with the time that is left; values are counted first.")
    var eta = false

    @Flag(help: "Show a bar of it; values are counted first.")
    var bar = false

    /// How far the run is, as it is to be shown.
    var style: ProgressStyle {
      if bar { return .bar(unit: "jobs") }
      return progress || eta ? .compact("", unit: "jobs") : .none
    }
  }

  /// The options with their meaning.
  /// - Throws: `UsageError` for values that mean nothing and for options that contradict each other.
  func checked() throws -> MapSettings {
    var words = words.map(ArgumentBytes.bytes(from:))
    switch words.first.map({ String(decoding: $0, as: UTF8.self) }) {
    case "--help", "-h": throw CleanExit.helpRequest(MapCommand.self)
    case "--version": throw CleanExit.message(MillraceCommand.versionLine)
    case "--": words.removeFirst()
    default: break
    }
    try refuseContradictions()
    let files = inputs.files.map(ArgumentBytes.bytes(from:))
    let (command, sources) = InputSources.split(words, files: files, linked: inputs.link)
    try sources.check()
    try CommandTemplate.refusePerl(command)
    let given = AgentCommand(words: command, quotes: running.quote)
    var options = MapSettings(command: given, template: given.template, sources: sources)
    options.format.separator = inputs.null ? 0 : .newline
    options.format.skipsBlank = inputs.noRunIfEmpty
    options.format.columns = try inputs.columnSeparator.map { try ColumnSeparator($0) }
    options.format.trimmed = try InputFormat.sides(inputs.trim ?? (inputs.columnSeparator == nil ? "n" : "lr"))
    let width = try WidthOption.parse(running.jobs)
    options.width = width.width(cpus: WorkerPool.usableCPUs)
    if let cluster = try clusterPlace() {
      options.cluster = cluster
      options.width = try clusterWidth(width, cluster)
    }
    options.isWidthUnbounded = width == .unlimited
    options.order = output.keepOrder ? .input : .completion
    options.grouping = output.ungroup ? .none : output.lineBuffer && !output.keepOrder ? .lines : .whole
    options.isTagged = output.tag
    options.isDryRun = running.dryRun
    options.progress = output.style
    options.showsProgress = output.bar || output.eta || output.progress
    options.countsFirst = output.bar || output.eta
    options.logPath = running.joblog.map(ArgumentBytes.bytes(from:))
    options.timeLimit = try running.timeout.map(TimeLimit.parse)
    options.attempts = running.retries
    options.halt = try HaltPolicy.parse(running.halt)
    if let directory = getenv("TMPDIR"), directory.pointee != 0 {
      options.temporaryDirectory = ArgumentBytes.string(cString: directory)
    }
    return options
  }

  /// Where jobs run, if that is not here.
  private func clusterPlace() throws -> ClusterPlace? {
    guard let queue = running.cluster else {
      if running.hosts != nil {
        throw UsageError("--hosts is for jobs on a cluster: --cluster says where its queue is")
      }
      return nil
    }
    let refusals: [(Bool, String)] = [
      (output.ungroup, "--ungroup: what jobs write there comes here when they have ended, and not as they write it"),
      (output.lineBuffer, "--line-buffer: what jobs write there comes here when they have ended, and not by lines"),
      (
        running.timeout?.hasSuffix("%") == true,
        "--timeout with a percentage: the limit of a job is sent with it, before there is a median; give it as a time"
      ),
    ]
    if let (_, why) = refusals.first(where: \.0) { throw UsageError("on a cluster there is no \(why)") }
    #if Cluster
    return ClusterPlace(queue: queue, hosts: try running.hosts.map(ClusterPlace.hosts) ?? [])
    #else
    throw UsageError("--cluster \(queue.isEmpty ? "''" : "…"): millrace was built without it (--traits CLI,Cluster)")
    #endif
  }

  /// How many jobs may be out at once.
  private func clusterWidth(_ option: WidthOption, _ place: ClusterPlace) throws -> Int {
    switch option {
    case .exactly, .unlimited: return min(option.width(cpus: 1), WidthOption.most)
    case .percent(100) where running.jobs == Self.usualJobs: return place.usualWidth
    case .percent, .besideCPUs:
      throw UsageError(
        "--jobs '\(Shown.text(running.jobs))': on a cluster it is a number, for the CPUs here are not those of the agents"
      )
    }
  }

  fileprivate static let usualJobs = "100%"

  private func refuseContradictions() throws {
    let contradictions: [(Bool, String)] = [
      (output.ungroup && output.keepOrder, "--ungroup and --keep-order"),
      (output.ungroup && output.tag, "--ungroup and --tag"),
      (output.ungroup && output.lineBuffer, "--ungroup and --line-buffer"),
      (output.ungroup && output.group, "--ungroup and --group"),
      (output.lineBuffer && output.group, "--line-buffer and --group"),
      (output.ungroup && output.bar, "--ungroup and --bar"),
      (output.ungroup && output.eta, "--ungroup and --eta"),
      (output.ungroup && output.progress, "--ungroup and --progress"),
    ]
    if let (_, names) = contradictions.first(where: \.0) { throw UsageError("\(names) contradict each other") }
    // A file of that name would be made, where other tools print.
    if running.joblog == "-" { throw UsageError("--joblog -: a log goes to a file; /dev/stdout is one, too") }
    guard running.retries >= 1 else { throw UsageError("--retries \(running.retries) is below 1") }
  }
}
#endif
