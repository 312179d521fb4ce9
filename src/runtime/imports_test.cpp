#include "runtime/imports.h"

#include <gtest/gtest.h>

namespace belljar::runtime {
namespace {

const std::vector<std::string> kModules{"numpy", "matplotlib.pyplot"};

bool imports(std::string_view text) {
  return imports_any({text}, kModules);
}

TEST(Imports, AreFoundInEveryForm) {
  for (const std::string_view text :
       {"import numpy", "import numpy as np\n", "import os,numpy", "from numpy import array",
        "  from numpy.linalg import norm\r\n", "x = 1\nimport os; import numpy\n",
        "from matplotlib import cm", "import matplotlib.pyplot as plt", "m = __import__('numpy')",
        "importlib.import_module(\"numpy\")", "try: import numpy", "\xef\xbb\xbfimport numpy",
        "\nimport os\nimport os\n\nimport numpy"}) {
    EXPECT_TRUE(imports(text)) << text;
  }
}

TEST(Imports, OfOthersAreNone) {
  for (const std::string_view text :
       {"", "import", "import os", "numpy", "numpy.array([1])\nimport os\n", "import numpyro",
        "import my_numpy", "import os\nnumpy", "print('numpy')", "import numpyé", "import Numpy",
        "import plt.pyplot"}) {
    EXPECT_FALSE(imports(text)) << text;
  }
}

TEST(Imports, OfNoModulesAreNone) {
  EXPECT_FALSE(imports_any({"import numpy"}, {}));
  EXPECT_FALSE(imports_any({}, kModules));
}

TEST(Imports, OfLaterTextsCountToo) {
  EXPECT_TRUE(imports_any({"import helper\n", "import numpy\n"}, kModules));
  // The end of one text and the beginning of the next are not one line.
  EXPECT_FALSE(imports_any({"import", " numpy"}, kModules));
}

TEST(Imports, AreLookedForInTheFirstBytesOnly) {
  const std::string line = "import numpy";
  const std::string blanks(kMostSearched - line.size(), ' ');
  EXPECT_TRUE(imports_any({blanks + line}, kModules));
  EXPECT_TRUE(imports_any({blanks, line}, kModules));
  EXPECT_FALSE(imports_any({blanks + " " + line}, kModules));
  EXPECT_FALSE(imports_any({blanks, " " + line}, kModules));
  EXPECT_FALSE(imports_any({blanks + line, line + "\n"}, {"pandas"}));
}

}  // namespace
}  // namespace belljar::runtime
