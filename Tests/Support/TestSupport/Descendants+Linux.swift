import MillraceTesting

/// The processes that a process has started, and those that these have started.
package func descendants(of process: Int32) -> [Int32] {
  let children = ProcFS.names(in: "/proc/\(process)/task").flatMap { thread -> [Int32] in
    let list = ProcFS.text(of: "/proc/\(process)/task/\(thread)/children") ?? ""
    return list.split(separator: " ").compactMap { Int32($0) }
  }
  return children + children.flatMap(descendants)
}
