#if CLI
/// The options of `millrace map` as people write them, made into those that the parser knows.
///
/// Short options may be written together, the last with its value, as in `-kj4`. Names that GNU parallel has for the same thing
/// are taken. Whatever is not known is refused here, with the name that was perhaps meant.
enum OptionSpelling {
  /// What an option is to us.
  private enum Meaning {
    case flag(String)
    case value(String)
    /// Taken, and nothing follows from it.
    case nothing
    /// One value for a job is all there is; taken if that is what it says.
    case valuesPerJob
  }

  private static let meanings: [String: Meaning] = {
    var meanings: [String: Meaning] = [:]
    for name in [
      "-0", "-k", "-q", "-r", "-u", "-h", "--null", "--quote", "--dry-run", "--keep-order", "--tag", "--group",
      "--line-buffer", "--lb", "--ungroup", "--link", "--progress", "--bar", "--eta", "--no-run-if-empty", "--help",
      "--version",
    ] {
      meanings[name] = .flag(name)
    }
    for name in [
      "-a", "-C", "-j", "--arg-file", "--colsep", "--trim", "--jobs", "--timeout", "--retries", "--halt", "--joblog",
      "--cluster", "--hosts",
    ] {
      meanings[name] = .value(name)
    }
    let others = [
      "-V": "--version", "--dryrun": "--dry-run", "--linebuffer": "--line-buffer", "--keeporder": "--keep-order",
      "--xapply": "--link", "--norunifempty": "--no-run-if-empty",
    ]
    for (name, ours) in others { meanings[name] = .flag(ours) }
    for (name, ours) in ["-P": "-j", "--max-procs": "--jobs", "--halt-on-error": "--halt"] {
      meanings[name] = .value(ours)
    }
    for name in ["--will-cite", "--willcite", "--no-notice", "--nonotice", "--nn", "--gnu"] {
      meanings[name] = .nothing
    }
    for name in ["-n", "-N", "--max-args", "--max-replace-args"] { meanings[name] = .valuesPerJob }
    return meanings
  }()

  /// Options of GNU parallel that mean something which is not here: they are named, not guessed at.
  private static let missing: Set<String> = [
    "-A", "-B", "-D", "-E", "-I", "-J", "-L", "-M", "-S", "-U", "-W", "-X", "-Y", "-Z", "-b", "-d", "-e", "-i", "-l",
    "-m",
    "-p", "-s", "-t", "-v", "-x", "--arg-file-sep", "--arg-sep", "--basefile", "--bibtex", "--block",
    "--citation", "--cleanup", "--color", "--compress", "--cat", "--controlmaster", "--csv", "--ctag", "--delay",
    "--delimiter", "--env", "--eof", "--exit", "--fg", "--fifo", "--files", "--filter", "--filter-hosts",
    "--group-by", "--header", "--hostgroups", "--id", "--interactive", "--jobs-file", "--keep-empty", "--latest-line",
    "--limit", "--load", "--max-chars", "--max-lines", "--max-line-length-allowed", "--memfree", "--memsuspend",
    "--minversion", "--nice", "--noswap", "--number-of-cores", "--number-of-cpus", "--onall", "--nonall", "--parens",
    "--pipe", "--pipe-part", "--pipepart", "--plain", "--plus", "--process-slot-var", "--profile",
    "--quiet", "--recend", "--recstart", "--regexp", "--remove-rec-sep", "--replace", "--results", "--resume",
    "--resume-failed", "--retired", "--retry-failed", "--return", "--round-robin", "--rpl", "--rsync-opts", "--sem",
    "--semaphore", "--seqreplace", "--session", "--shard", "--shebang", "--shellquote", "--shuf", "--silent",
    "--skip-first-line", "--sql", "--sqlandworker", "--sqlmaster", "--sqlworker", "--ssh", "--sshdelay", "--sshlogin",
    "--sshloginfile", "--slf", "--swap", "--tagstring", "--tee", "--template", "--termseq", "--tmpdir", "--tmux",
    "--tmuxpane", "--tollef", "--total-jobs", "--transfer", "--transferfile", "--trc", "--tty",
    "--use-cores-instead-of-threads", "--verbose", "--wait", "--wd", "--workdir", "--xargs", "-H", "-T", "-g",
    "--basenameextensionreplace", "--basenamereplace", "--bf", "--block-timeout", "--blocktimeout", "--bner", "--bnr",
    "--bt", "--cf", "--color-failed", "--colour", "--colour-failed", "--ctag-string", "--ctagstring", "--ctrl-c",
    "--ctrlc", "--debug", "--dirnamereplace", "--dnr", "--embed", "--er", "--extensionreplace", "--hgrp", "--ll",
    "--no-ctrl-c", "--no-ctrlc", "--noctrlc", "--open-tty", "--record-env", "--recordenv", "--roundrobin",
    "--shell-completion", "--shell-quote", "--slotreplace", "--spreadstdin", "--tf", "--tag-string",
  ]

  /// The arguments after `map` as the parser takes them; the command and what follows stay as they are.
  ///
  /// - Parameter variable: the text of `$PARALLEL`, options that go before the others, as with GNU parallel.
  static func canonical(_ arguments: [String], variable: String? = nil) throws -> [String] {
    guard arguments.first == "map" else {
      if let name = arguments.first, !name.hasPrefix("-"), name != "help", !MillraceCommand.names.contains(name) {
        throw UsageError(
          "unknown subcommand '\(Shown.text(name))'; a command is run by millrace map, as in millrace map echo ::: a b")
      }
      return arguments
    }
    var given: [String] = []
    if let variable {
      var words = try shellWords(variable)[...]
      do {
        given = try options(&words, isWhole: true)
      } catch let error as UsageError {
        throw UsageError("$PARALLEL: \(error)")
      }
      if let word = words.first { throw UsageError("$PARALLEL: '\(Shown.text(word))' is no option") }
    }
    var rest = arguments.dropFirst()
    given += try options(&rest)
    return ["map"] + given + rest
  }

  /// Takes the options from the front of the words.
  ///
  /// - Parameter isWhole: nothing of what comes behind the words is theirs. Otherwise the parser says that a value is missing.
  private static func options(_ words: inout ArraySlice<String>, isWhole: Bool = false) throws -> [String] {
    var result: [String] = []
    while let word = words.first, word.hasPrefix("-"), word != "--", word != "-" {
      words.removeFirst()
      for (name, value) in try parts(of: word) {
        guard let meaning = meanings[name] else { throw unknown(name) }
        switch meaning {
        case .flag(let ours):
          result.append(value.map { "\(ours)=\($0)" } ?? ours)
        case .value(let ours):
          // As a word of its own whatever it is: the parser would take the next word for one that is empty.
          result.append(ours)
          if let value = value ?? words.popFirst() {
            result.append(value)
          } else if isWhole {
            throw UsageError("\(name) wants a value")
          }
        case .nothing: break
        case .valuesPerJob:
          guard let number = value ?? words.popFirst() else { throw UsageError("\(name) wants a number") }
          guard number == "1" else {
            throw UsageError("\(name) \(Shown.text(number)): a job takes one value of each source here")
          }
        }
      }
    }
    return result
  }

  /// One word's options: `--name=value` apart, `-kj4` as `-k` and `-j` with `4`.
  private static func parts(of word: String) throws -> [(name: String, value: String?)] {
    if word.hasPrefix("--") {
      guard let end = word.firstIndex(of: "=") else { return [(word, nil)] }
      return [(String(word[..<end]), String(word[word.index(after: end)...]))]
    }
    var parts: [(String, String?)] = []
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      let name = "-\(letter)"
      switch meanings[name] {
      case .value, .valuesPerJob:
        return parts + [(name, letters.isEmpty ? nil : String(letters))]
      case .flag, .nothing: parts.append((name, nil))
      // A long option with one dash, more likely than a row of short ones.
      case nil where parts.isEmpty: throw unknown(word.count > 2 && !missing.contains(name) ? word : name)
      case nil: throw unknown(name)
      }
    }
    return parts
  }

  private static func unknown(_ name: String) -> UsageError {
    if missing.contains(name) {
      return UsageError("GNU parallel's option '\(name)' is not supported (see millrace map --help)")
    }
    let suggestion = nearest(to: name).map { "; did you mean \($0)?" } ?? ""
    return UsageError("unknown option '\(Shown.text(name))'\(suggestion) (see millrace map --help)")
  }

  /// The option that a name begins, or that differs in a few letters.
  static func nearest(to name: String) -> String? {
    let bare = name.drop { $0 == "-" }
    guard bare.count > 1, bare.count < 40 else { return nil }
    let names = meanings.keys.filter { $0.hasPrefix("--") }.sorted()
    if let whole = names.first(where: { $0.dropFirst(2).hasPrefix(bare) }) { return whole }
    let near = names.map { ($0, distance(Array($0.dropFirst(2)), Array(bare))) }.min { $0.1 < $1.1 }
    return near.flatMap { $0.1 <= max(1, bare.count / 3) ? $0.0 : nil }
  }

  /// Letters to change, insert, remove or swap with their neighbour, to get from one to the other.
  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    var rows = [Array(0...b.count)]
    for i in 1...a.count {
      var row = [i]
      for j in 1...b.count {
        let change = a[i - 1] == b[j - 1] ? 0 : 1
        var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + change)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }

  /// The words of a variable: at blanks, with quotes and backslashes as in a shell, and nothing else of it.
  private static func shellWords(_ text: String) throws -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var characters = text[...]
    while let character = characters.popFirst() {
      if character == "\\", quote != "'" {
        word = (word ?? "") + (characters.popFirst().map(String.init) ?? "\\")
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "'" || character == "\"" {
        quote = character
        word = word ?? ""
      } else if quote == nil, character.isWhitespace {
        if let whole = word { words.append(whole) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    guard quote == nil else { throw UsageError("$PARALLEL: a quote does not end") }
    return words + (word.map { [$0] } ?? [])
  }
}
#endif
