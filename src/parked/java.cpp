// The launcher of a Java virtual machine that waits in a parked cell, for a program that it runs or
// for sources that it compiles: what `java` and `javac` are, with the machine up already.
//
// Of the Invocation API and JNI, whose tables are the same in every version (JNI specification,
// chapters 4 and 5), the few functions that are used are named by their places here.
//
// Runs in: the cell, as the program's process, behind every lock.
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/sys.h"
#include "base/units.h"
#include "cell/handover.h"
#include "cell/parked_protocol.h"
#include "cell/steps.h"

namespace belljar::parked {
namespace {

using Strings = std::vector<std::string>;
using Object = void*;  // jobject, jclass, jstring, …
using Method = void*;  // jmethodID

union Value {
  std::uint8_t boolean;
  std::int32_t integer;
  Object object;
};
struct MachineOption {
  char* text;
  void* extra;
};
struct MachineArguments {
  std::int32_t version;
  std::int32_t count;
  MachineOption* options;
  std::uint8_t ignore_unknown;
};
constexpr std::int32_t kJniVersion = 0x00010008;
using CreateMachine = std::int32_t(void**, void**, MachineArguments*);

// The thread's JNIEnv: a pointer to a table of functions, each of which takes it first.
class Jni {
 public:
  explicit Jni(void* env) : env_(env) {}

  [[nodiscard]] Object find_class(const char* name) const { return call<Object>(6, name); }
  [[nodiscard]] Method static_method(Object type, const char* name, const char* signature) const {
    return call<Method>(113, type, name, signature);
  }
  template <typename... Arguments>
  void call_void(Object type, Method method, Arguments... arguments) const {
    std::array<Value, sizeof...(arguments)> values{arguments...};
    call<void>(143, type, method, values.data());
  }
  template <typename... Arguments>
  [[nodiscard]] int call_int(Object type, Method method, Arguments... arguments) const {
    std::array<Value, sizeof...(arguments)> values{arguments...};
    return call<std::int32_t>(131, type, method, values.data());
  }
  template <typename... Arguments>
  [[nodiscard]] Object call_object(Object type, Method method, Arguments... arguments) const {
    std::array<Value, sizeof...(arguments)> values{arguments...};
    return call<Object>(116, type, method, values.data());
  }
  [[nodiscard]] Object bytes(std::string_view text) const {
    const auto size = static_cast<std::int32_t>(text.size());
    const Object array = call<Object>(176, size);
    if (array != nullptr) {
      call<void>(208, array, 0, size, text.data());
    }
    return array;
  }
  [[nodiscard]] Object array_of(Object type, std::size_t size) const {
    return call<Object>(172, static_cast<std::int32_t>(size), type, Object{});
  }
  void put(Object array, std::size_t at, Object item) const {
    call<void>(174, array, static_cast<std::int32_t>(at), item);
  }
  [[nodiscard]] bool has_exception() const { return call<std::uint8_t>(228) != 0; }
  void forget_exception() const { call<void>(17); }

 private:
  template <typename Result, typename... Arguments>
  Result call(std::size_t place, Arguments... arguments) const {
    void** const table = *static_cast<void***>(env_);
    return reinterpret_cast<Result (*)(void*, Arguments...)>(table[place])(env_, arguments...);
  }

  void* env_;
};

Value of(Object object) {
  return {.object = object};
}

// A virtual machine, in the thread that made it.
class Machine {
 public:
  // Of the installation that `tool` belongs to. No machine: it is not to be had.
  Machine(const std::string& tool, Strings options) {
    std::array<char, PATH_MAX> real{};
    if (::realpath(tool.c_str(), real.data()) == nullptr) return;
    const std::string_view path = real.data();
    const std::string home(path.substr(0, path.rfind("/bin/")));
    if (!is_known(home)) return;
    void* const library =
        ::dlopen((home + "/lib/server/libjvm.so").c_str(), RTLD_NOW | RTLD_GLOBAL);
    auto* const create =
        library == nullptr ? nullptr
                           : reinterpret_cast<CreateMachine*>(::dlsym(library, "JNI_CreateJavaVM"));
    if (create == nullptr) return;
    std::vector<MachineOption> list;
    for (std::string& option : options) list.push_back({option.data(), nullptr});
    MachineArguments arguments{.version = kJniVersion,
                               .count = static_cast<std::int32_t>(list.size()),
                               .options = list.data(),
                               .ignore_unknown = 0};
    if (create(&machine_, &env_, &arguments) != 0) machine_ = nullptr;
  }
  [[nodiscard]] bool is_up() const { return machine_ != nullptr; }
  [[nodiscard]] Jni jni() const { return Jni(env_); }

  // What the launcher does at the end (LEAVE() in libjli's java.c): an exception of this thread is
  // told, then all threads that are no daemons are waited for.
  void leave() const {
    call(5);
    call(3);
  }

 private:
  // The launcher of later ones has more ways to begin a program.
  static bool is_known(const std::string& home) {
    constexpr int kFirst = 11;
    constexpr int kLast = 20;
    const Result<std::string> release = sys::read_file((home + "/release").c_str(), 64 * kKiB);
    constexpr std::string_view kKey = "JAVA_VERSION=\"";
    const std::size_t at = release ? release->find(kKey) : std::string::npos;
    if (at == std::string::npos) return false;
    const int version =
        static_cast<int>(std::strtol(release->c_str() + at + kKey.size(), nullptr, 10));
    return version >= kFirst && version <= kLast;
  }
  void call(std::size_t place) const {
    reinterpret_cast<std::int32_t (*)(void*)>((*static_cast<void***>(machine_))[place])(machine_);
  }

  void* machine_ = nullptr;
  void* env_ = nullptr;
};

// Words of a command line as Java's strings, by the launcher's own helper.
class Words {
 public:
  explicit Words(const Jni& jni)
      : jni_(jni),
        string_(jni.find_class("java/lang/String")),
        helper_(jni.find_class("sun/launcher/LauncherHelper")),
        make_(jni.static_method(helper_, "makePlatformString", "(Z[B)Ljava/lang/String;")) {}
  [[nodiscard]] Object word(const std::string& text) const {
    return jni_.call_object(helper_, make_, Value{.boolean = 1}, of(jni_.bytes(text)));
  }
  [[nodiscard]] Object list(const Strings& texts) const {
    const Object array = jni_.array_of(string_, texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) jni_.put(array, i, word(texts[i]));
    return array;
  }
  [[nodiscard]] Object helper() const { return helper_; }

 private:
  const Jni& jni_;
  Object string_;
  Object helper_;
  Method make_;
};

bool is_read_once(std::string_view entry) {
  constexpr std::array<std::string_view, 10> kNames{
      "JAVA_", "_JAVA_", "JDK_", "CLASSPATH=", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "TZ="};
  return std::ranges::any_of(kNames, [entry](auto name) { return entry.starts_with(name); });
}

// Whether this process can be what an execution of `run` would be, but for the words after
// `common`; then it has its environment.
bool become(const cell::CellSpec& run, const Strings& common) {
  if (run.argv.size() <= common.size() ||
      !std::equal(common.begin(), common.end(), run.argv.begin())) {
    return false;
  }
  Strings here;
  for (char** entry = environ; *entry != nullptr; ++entry) here.emplace_back(*entry);
  const auto differs = [](const Strings& from, const Strings& to) {
    return std::ranges::any_of(from, [&to](const std::string& entry) {
      return is_read_once(entry) && std::ranges::find(to, entry) == to.end();
    });
  };
  if (differs(here, run.env) || differs(run.env, here)) return false;
  ::clearenv();
  for (const std::string& entry : run.env) {
    const std::size_t at = entry.find('=');
    if (at != entry.npos) ::setenv(entry.substr(0, at).c_str(), entry.c_str() + at + 1, 1);
  }
  return true;
}

cell::TakenRun wait() {
  cell::TakenRun run = cell::take_run(
      {.report = cell::kParkedReportFd, .park = cell::kParkedSocketFd, .box = cell::kParkedBoxFd});
  ::close(cell::kParkedSocketFd);
  return run;
}

[[noreturn]] void decline(const cell::TakenRun& run) {
  cell::execute_run(run, cell::Steps(cell::kParkedReportFd));
}

// The words of `java` before the name of the class, as the machine wants them.
Strings options_of_java(const Strings& words) {
  Strings options{"-Dsun.java.launcher=SUN_STANDARD"};
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool path = words[i] == "-cp" && i + 1 < words.size();
    options.push_back(path ? "-Djava.class.path=" + words[++i] : words[i]);
  }
  return options;
}

// JavaMain() in libjli's java.c.
int run_program(const Strings& common) {
  const Machine machine(common.front(), options_of_java(common));
  if (!machine.is_up()) decline(wait());
  const Jni jni = machine.jni();
  const Words words(jni);
  const Object helper = words.helper();
  const Method load =
      jni.static_method(helper, "checkAndLoadMain", "(ZILjava/lang/String;)Ljava/lang/Class;");
  const Object system = jni.find_class("java/lang/System");
  const Method set_property = jni.static_method(
      system, "setProperty", "(Ljava/lang/String;Ljava/lang/String;)Ljava/lang/String;");
  if (jni.has_exception()) jni.forget_exception();

  const cell::TakenRun run = wait();
  if (run.program >= 0 || !become(run.spec, common)) decline(run);
  const Strings rest(run.spec.argv.begin() + static_cast<std::ptrdiff_t>(common.size()),
                     run.spec.argv.end());
  ::close(cell::kParkedReportFd);
  std::string command;
  for (const std::string& word : rest) command += (command.empty() ? "" : " ") + word;
  static_cast<void>(jni.call_object(system, set_property, of(words.word("sun.java.command")),
                                    of(words.word(command))));
  constexpr int kByName = 1;  // LM_CLASS
  const Object type = jni.call_object(helper, load, Value{.boolean = 1}, Value{.integer = kByName},
                                      of(words.word(rest.front())));
  int code = 1;
  if (!jni.has_exception()) {
    const Method main = jni.static_method(type, "main", "([Ljava/lang/String;)V");
    if (!jni.has_exception()) {
      const Object arguments = words.list({rest.begin() + 1, rest.end()});
      jni.call_void(type, main, of(arguments));
      code = jni.has_exception() ? 1 : 0;
    }
  }
  machine.leave();
  return code;
}

constexpr const char* kRehearsal = "/etc/belljar/Rehearsal.java";
constexpr const char* kRehearsalOutput = "/tmp/rehearsal";
// After so many the compiler is as fast as it gets within a moment.
constexpr int kRehearsals = 8;

void remove_rehearsal() {
  DIR* const folder = ::opendir(kRehearsalOutput);
  if (folder == nullptr) return;
  while (const dirent* const entry = ::readdir(folder)) {
    ::unlinkat(::dirfd(folder), entry->d_name, 0);
  }
  ::closedir(folder);
  ::rmdir(kRehearsalOutput);
}

int compile(const Strings& common) {
  // `-J` in front: the machine's own.
  Strings options;
  Strings own;
  for (std::size_t i = 1; i < common.size(); ++i) {
    if (common[i].starts_with("-J")) {
      options.push_back(common[i].substr(2));
    } else {
      own.push_back(common[i]);
    }
  }
  const Machine machine(common.front(), options);
  if (!machine.is_up()) decline(wait());
  const Jni jni = machine.jni();
  const Words words(jni);
  const Object compiler = jni.find_class("com/sun/tools/javac/Main");
  const Method method = compiler == nullptr
                            ? nullptr
                            : jni.static_method(compiler, "compile", "([Ljava/lang/String;)I");
  if (method == nullptr) decline(wait());
  ::mkdir(kRehearsalOutput, 0700);
  for (int i = 0; i < kRehearsals; ++i) {
    static_cast<void>(
        jni.call_int(compiler, method,
                     of(words.list({"-encoding", "UTF-8", "-d", kRehearsalOutput, kRehearsal}))));
  }
  remove_rehearsal();

  const cell::TakenRun run = wait();
  if (run.program >= 0 || !become(run.spec, common)) decline(run);
  Strings all = own;
  all.insert(all.end(), run.spec.argv.begin() + static_cast<std::ptrdiff_t>(common.size()),
             run.spec.argv.end());
  ::close(cell::kParkedReportFd);
  return jni.call_int(compiler, method, of(words.list(all)));
}

struct Job {
  int (*work)(const Strings&);
  Strings common;
};

// A machine lives in a thread of its own, as the launcher's does: the first thread's stack is not
// for Java.
void* work(void* pointer) {
  const Job& job = *static_cast<Job*>(pointer);
  ::exit(job.work(job.common));
}

}  // namespace
}  // namespace belljar::parked

// argv: "java" or "javac", the tool, and those of its words that every run has.
int main(int count, char** words) {
  using namespace belljar::parked;
  constexpr int kFixed = 2;
  if (count < kFixed) return 125;
  const bool compiles = std::string_view(words[0]) == "javac";
  Job job{.work = compiles ? compile : run_program, .common = Strings(words + 1, words + count)};
  constexpr std::size_t kStack = 1 << 20;  // of a thread of Java's, -Xss
  pthread_attr_t attributes;
  pthread_t thread{};
  if (::pthread_attr_init(&attributes) != 0 ||
      ::pthread_attr_setstacksize(&attributes, kStack) != 0 ||
      ::pthread_create(&thread, &attributes, work, &job) != 0) {
    return 125;
  }
  ::pthread_join(thread, nullptr);
  return 125;
}
