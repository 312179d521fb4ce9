#include "zygote/python.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

// The parts of the stable interface that are used (PEP 384), and PyRun_*, which stand beside it
// unchanged since Python 2.
// NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier): CPython's names
extern "C" {
using PyObject = _object;
extern PyObject* PyExc_KeyboardInterrupt;
extern PyObject* PyExc_SystemExit;
extern PyObject _Py_NoneStruct;
struct PyThreadState;
PyThreadState* PyGILState_GetThisThreadState();
void PyEval_RestoreThread(PyThreadState* state);
PyObject* PyDict_New();
PyObject* PyDict_GetItemString(PyObject* dict, const char* key);
int PyDict_SetItemString(PyObject* dict, const char* key, PyObject* value);
int PyDict_Next(PyObject* dict, ssize_t* at, PyObject** key, PyObject** value);
int PyDict_DelItemString(PyObject* dict, const char* key);
PyObject* PyEval_GetBuiltins();
PyObject* PyImport_AddModule(const char* name);
PyObject* PyImport_GetModule(PyObject* name);
PyObject* PyModule_GetDict(PyObject* module);
PyObject* PyList_New(ssize_t size);
int PyList_SetItem(PyObject* list, ssize_t at, PyObject* item);
PyObject* PyUnicode_DecodeFSDefaultAndSize(const char* text, ssize_t size);
const char* PyUnicode_AsUTF8AndSize(PyObject* text, ssize_t* size);
PyObject* PyObject_CallFunctionObjArgs(PyObject* callable, ...);
PyObject* PyObject_CallMethod(PyObject* object, const char* name, const char* format, ...);
PyObject* PySys_GetObject(const char* name);
PyObject* PyIter_Next(PyObject* iterator);
int PyObject_IsTrue(PyObject* object);
void Py_DecRef(PyObject* object);
void Py_IncRef(PyObject* object);
void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback);
void PyErr_Restore(PyObject* type, PyObject* value, PyObject* traceback);
void PyErr_NormalizeException(PyObject** type, PyObject** value, PyObject** traceback);
PyObject* PyObject_GetAttrString(PyObject* object, const char* name);
long PyLong_AsLong(PyObject* number);
void PyErr_Print();
void PyErr_Clear();
PyObject* PyErr_Occurred();
int PyErr_ExceptionMatches(PyObject* kind);
PyObject* PyRun_StringFlags(const char*, int, PyObject*, PyObject*, void*);
PyObject* PyRun_FileExFlags(FILE*, const char*, int, PyObject*, PyObject*, int, void*);
void PyErr_WriteUnraisable(PyObject* object);
void PyOS_BeforeFork();
void PyOS_AfterFork_Parent();
void PyOS_AfterFork_Child();
}
// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)

namespace belljar::zygote {
namespace {

constexpr int kFileInput = 257;  // Py_file_input
constexpr int kFinalizeFailed = 120;

constexpr char kPrelude[] = {
#embed "prelude.py"
    , '\0'};

PyObject* list_of(const std::vector<std::string>& texts) {
  PyObject* const list = PyList_New(static_cast<ssize_t>(texts.size()));
  for (std::size_t i = 0; list != nullptr && i < texts.size(); ++i) {
    PyList_SetItem(
        list, static_cast<ssize_t>(i),
        PyUnicode_DecodeFSDefaultAndSize(texts[i].data(), static_cast<ssize_t>(texts[i].size())));
  }
  return list;
}

// What is being raised stays raised; flush_io() in Python/pythonrun.c.
void flush_after_script() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  for (const char* const stream : {"stderr", "stdout"}) {
    PyObject* const file = PySys_GetObject(stream);
    if (file != nullptr && PyObject_CallMethod(file, "flush", nullptr) == nullptr) PyErr_Clear();
  }
  PyErr_Restore(type, value, traceback);
}

// Only a failure of stdout is told; flush_std_files() in Python/pylifecycle.c.
bool flush_at_end(const char* stream, bool tell) {
  PyObject* const file = PySys_GetObject(stream);
  if (file == nullptr || file == &_Py_NoneStruct) return true;
  PyObject* const closed = PyObject_GetAttrString(file, "closed");
  const bool is_closed = closed != nullptr && PyObject_IsTrue(closed) == 1;
  PyErr_Clear();
  if (is_closed) return true;
  PyObject* const done = PyObject_CallMethod(file, "flush", nullptr);
  if (done == nullptr && tell) PyErr_WriteUnraisable(file);
  PyErr_Clear();
  return done != nullptr;
}

// Ends as an interpreter does that an unhandled KeyboardInterrupt has reached: by the signal, so
// that whoever waits can tell.
[[noreturn]] void end_by_interrupt(int code) {
  ::signal(SIGINT, SIG_DFL);
  ::kill(::getpid(), SIGINT);
  ::exit(code);
}

PyObject* call(PyObject* prelude, const char* name, PyObject* argument = nullptr) {
  return PyObject_CallFunctionObjArgs(PyDict_GetItemString(prelude, name), argument, nullptr);
}

// The code of the SystemExit that is being raised, which it says where it is a text.
int code_of_exit(PyObject* prelude) {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  PyObject* const code = PyObject_GetAttrString(value, "code");
  PyObject* const number = code == nullptr ? nullptr : call(prelude, "exit_code", code);
  if (number == nullptr) {
    PyErr_Clear();
    return 1;
  }
  return static_cast<int>(PyLong_AsLong(number));
}

// The first steps of an interpreter's end: threads are waited for, atexit(3)'s callbacks are
// called. From here and not from the prelude, whose frame would be seen in tracebacks.
void leave() {
  for (const auto& [name, function] :
       {std::pair{"threading", "_shutdown"}, {"atexit", "_run_exitfuncs"}}) {
    PyObject* const text =
        PyUnicode_DecodeFSDefaultAndSize(name, static_cast<ssize_t>(std::strlen(name)));
    PyObject* const module = PyImport_GetModule(text);
    Py_DecRef(text);
    if (module != nullptr && PyObject_CallMethod(module, function, nullptr) == nullptr)
      PyErr_WriteUnraisable(module);
    PyErr_Clear();
  }
}

DictEntries entries_of(PyObject* dict) {
  DictEntries entries;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) != 0;) entries.emplace_back(key, value);
  return entries;
}

// The keys that have come since, or have another value now; in a list.
PyObject* changes_of(PyObject* dict, const DictEntries& before) {
  std::vector<PyObject*> keys;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  std::size_t expected = 0;
  for (ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) != 0;) {
    const std::pair entry{key, value};
    // As long as nothing was taken out the order is the same.
    if (expected < before.size() && before[expected] == entry) {
      ++expected;
    } else if (std::ranges::find(before, entry) == before.end()) {
      keys.push_back(key);
    }
  }
  PyObject* const list = PyList_New(static_cast<ssize_t>(keys.size()));
  for (std::size_t i = 0; list != nullptr && i < keys.size(); ++i) {
    Py_IncRef(keys[i]);
    PyList_SetItem(list, static_cast<ssize_t>(i), keys[i]);
  }
  return list;
}

// glibc takes the size of new threads' stacks from the limit once, when it begins.
void set_thread_stacks() {
  rlimit limit{};
  pthread_attr_t attributes;
  if (::getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return;
  if (::pthread_attr_init(&attributes) != 0) return;
  if (::pthread_attr_setstacksize(&attributes, limit.rlim_cur) == 0)
    ::pthread_setattr_default_np(&attributes);
  ::pthread_attr_destroy(&attributes);
}

}  // namespace

bool Python::begin() {
  // A file is opened without the interpreter's lock.
  PyEval_RestoreThread(PyGILState_GetThisThreadState());
  prelude_ = PyDict_New();
  if (prelude_ == nullptr) return false;
  PyDict_SetItemString(prelude_, "__builtins__", PyEval_GetBuiltins());
  PyObject* const done = PyRun_StringFlags(kPrelude, kFileInput, prelude_, prelude_, nullptr);
  if (done == nullptr) {
    PyErr_Print();
    return false;
  }
  Py_DecRef(done);
  return true;
}

std::string Python::preload(std::string_view names) {
  PyObject* const text =
      PyUnicode_DecodeFSDefaultAndSize(names.data(), static_cast<ssize_t>(names.size()));
  PyObject* const failed = call(prelude_, "preload", text);
  ssize_t size = 0;
  const char* const bytes = failed == nullptr ? nullptr : PyUnicode_AsUTF8AndSize(failed, &size);
  modules_ = entries_of(PySys_GetObject("modules"));
  builtins_ = entries_of(PyEval_GetBuiltins());
  if (bytes == nullptr) {
    PyErr_Clear();
    return "the import itself failed";
  }
  return {bytes, static_cast<std::size_t>(size)};
}

void Python::before_fork() {
  PyOS_BeforeFork();
}

void Python::after_fork() {
  PyOS_AfterFork_Parent();
}

void Python::wake() {
  // An execution would have made the program's /proc/self its own again (proc(5)).
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  PyOS_AfterFork_Child();
}

void Python::rehearse() {
  static char lines[] = "def f(n):\n  return [str(i) for i in range(n)]\nprint(*f(9), sep='')\n";
  PyObject* const names = call(prelude_, "rehearse");
  FILE* const file = ::fmemopen(lines, sizeof lines - 1, "r");
  if (names != nullptr && file != nullptr) {
    PyObject* const done =
        PyRun_FileExFlags(file, "rehearsal", kFileInput, names, names, 1, nullptr);
    if (done != nullptr) Py_DecRef(done);
    flush_after_script();
  } else if (file != nullptr) {
    ::fclose(file);
  }
  if (names != nullptr) Py_DecRef(names);
  PyErr_Clear();
}

// See finalize() in prelude.py. What fails there fails silently, as in an interpreter that has no
// stderr any more.
void Python::finalize() {
  PyObject* const modules = changes_of(PySys_GetObject("modules"), modules_);
  PyObject* const builtins = changes_of(PyEval_GetBuiltins(), builtins_);
  PyObject* const steps = PyObject_CallFunctionObjArgs(PyDict_GetItemString(prelude_, "finalize"),
                                                       modules, builtins, nullptr);
  while (steps != nullptr) {
    PyObject* const step = PyIter_Next(steps);
    if (step == nullptr) break;
    PyObject* const done = PyObject_CallFunctionObjArgs(step, nullptr);
    if (done != nullptr) Py_DecRef(done);
    PyErr_Clear();
    Py_DecRef(step);
  }
  PyErr_Clear();
}

// What `python3 script` does once the interpreter is up (Modules/main.c), and at its end: nothing
// of ours is on its stack. Only the end is cut short, see finalize() in prelude.py.
void Python::run_script(FILE* file, const char* path) {
  PyObject* const main = PyModule_GetDict(PyImport_AddModule("__main__"));
  PyObject* const value = PyRun_FileExFlags(file, path, kFileInput, main, main, 1, nullptr);
  flush_after_script();
  bool interrupted = false;
  int code = value == nullptr ? 1 : 0;
  if (value != nullptr) {
    Py_DecRef(value);
  } else if (PyErr_ExceptionMatches(PyExc_SystemExit) != 0) {
    code = code_of_exit(prelude_);
  } else {
    interrupted = PyErr_Occurred() == PyExc_KeyboardInterrupt;  // not a class made from it
    PyErr_Print();
  }
  for (const char* const name : {"__file__", "__cached__"}) {
    if (PyDict_DelItemString(main, name) != 0) PyErr_Clear();
  }
  leave();
  const bool out = flush_at_end("stdout", true);
  if (!flush_at_end("stderr", false) || !out) code = kFinalizeFailed;
  finalize();
  if (interrupted) end_by_interrupt(code);
  ::exit(code);
}

void Python::run(const cell::CellSpec& spec, int report) {
  PyObject* const argv = list_of(spec.argv);
  PyObject* const env = list_of(spec.env);
  PyObject* const taken =
      PyObject_CallFunctionObjArgs(PyDict_GetItemString(prelude_, "take"), argv, env, nullptr);
  Py_DecRef(argv);
  Py_DecRef(env);
  if (taken == nullptr) PyErr_Clear();
  const bool is_ours = taken != nullptr && PyObject_IsTrue(taken) == 1;
  if (taken != nullptr) Py_DecRef(taken);
  if (!is_ours) return;
  const std::string path = spec.argv[1];
  FILE* const file = ::fopen(path.c_str(), "rb");
  if (file == nullptr) return;
  // As after an execution: else /proc/self/environ and the like would be root's.
  ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  set_thread_stacks();
  ::close(report);
  run_script(file, path.c_str());
}

}  // namespace belljar::zygote
