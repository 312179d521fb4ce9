import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

class MultiprocessingUse {
  public static void main(String[] args) throws Exception {
    List<Process> workers = new ArrayList<>();
    Set<Long> ids = new HashSet<>();
    ids.add(ProcessHandle.current().pid());
    for (int number = 0; number < 4; ++number) {
      String program = "s=0; for n in $(seq " + number + " 4 9); do s=$((s + n * n)); done; echo $s";
      Process worker = new ProcessBuilder("sh", "-c", program).start();
      workers.add(worker);
      ids.add(worker.pid());
    }
    int sum = 0;
    for (Process worker : workers) {
      sum += Integer.parseInt(new String(worker.getInputStream().readAllBytes()).trim());
      worker.waitFor();
    }
    System.out.println(workers.size() + " processes summed squares to " + sum);
    if (ids.size() == 5) System.out.println("every process had an id of its own");
  }
}
