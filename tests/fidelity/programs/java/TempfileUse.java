import java.nio.file.Files;
import java.nio.file.Path;

class TempfileUse {
  public static void main(String[] args) throws Exception {
    Path one = Files.createTempFile("fidelity", ".txt");
    Path other = Files.createTempFile("fidelity", ".txt");
    Files.writeString(one, "hello");
    System.out.println("wrote and read back " + Files.readAllBytes(one).length + " bytes");
    if (!one.equals(other)) System.out.println("two names differ");
    Files.delete(one);
    if (!Files.exists(one)) System.out.println("gone after removal");
  }
}
