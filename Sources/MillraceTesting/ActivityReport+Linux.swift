#if os(Linux)
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What every thread of this process and every process below it is doing: name, state, where in the kernel it waits, CPU time.
///
/// A blocked thread shows by its wait (`futex_do_wait`, `pipe_read`), a spinning one by state R and its CPU time.
func activityReport() -> String {
  let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
  func line(_ number: Int, _ stat: ProcFS.Stat, _ task: String) -> String {
    let wait = ProcFS.text(of: "\(task)/wchan") ?? ""
    let place = wait.isEmpty || wait == "0" ? "" : ", in \(wait)"
    return "  \(number) (\(stat.name)), state \(stat.state)\(place), \(Double(stat.cpuTicks) / ticks) s of CPU"
  }
  var lines = ["Threads:"]
  for thread in ProcFS.numbers(in: "/proc/self/task").sorted() {
    let task = "/proc/self/task/\(thread)"
    if let stat = ProcFS.Stat(of: task) { lines.append(line(thread, stat, task)) }
  }
  let processes = relatedProcesses().sorted { $0.0 < $1.0 }
  if !processes.isEmpty { lines.append("Processes:") }
  for (process, stat) in processes { lines.append(line(process, stat, "/proc/\(process)")) }
  return lines.joined(separator: "\n")
}
#endif
