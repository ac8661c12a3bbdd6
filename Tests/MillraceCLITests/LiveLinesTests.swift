#if CLI
import Testing

@Suite("Lines that come one by one", .timeLimit(.minutes(1)))
struct LiveLinesTests {
  @Test("U10: a job starts when its line comes, though no other does", arguments: ["", "-k", "-j1", "-j4 -k"])
  func conversation(options: String) throws {
    // Each line is written when the job of the one before has answered.
    let result = try Tool.shell(
      """
      folder=$(mktemp -d); cd "$folder"; mkfifo lines answers
      $M \(options) echo job {} <lines >answers &
      exec 3>lines 4<answers
      for line in 1 2 3 4 5; do
        echo $line >&3
        read -r answer <&4 && echo "$answer"
      done
      exec 3>&-
      wait $!
      status=$?
      rm -r "$folder"
      exit $status
      """)
    #expect(result.exitCode == 0)
    #expect(result.lines == (1...5).map { "job \($0)" })
  }
}
#endif
