#include "model/labels.h"

#include <gtest/gtest.h>

namespace belljar {
namespace {

TEST(Labels, AreReadAsTheyAreWritten) {
  const auto read = parse_labels("tier=gold, region=eu-1.B_2");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_string(*read), "region=eu-1.B_2,tier=gold");
  EXPECT_EQ(parse_labels(to_string(*read)).value(), *read);
  EXPECT_TRUE(parse_labels("")->empty());
}

TEST(Labels, ThatBreakARuleAreRefusedWithIt) {
  const std::string long_name(kMostLabelName, 'n');
  const std::string long_value(kMostLabelValue, 'v');
  EXPECT_TRUE(parse_labels(long_name + "=" + long_value).has_value());
  for (const std::string& text :
       {std::string("region"), std::string("=eu"), std::string("Region=eu"), std::string("region="),
        std::string("region=e u"), std::string("a=1,a=2"),
        std::string("a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1"), "n" + long_name + "=v",
        "n=v" + long_value, std::string("n=\xc3\xa9")}) {
    const auto read = parse_labels(text);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, Code::kInvalid) << text;
  }
  EXPECT_NE(parse_labels("region=e u").error().message.find("region"), std::string::npos);
}

TEST(Labels, AreThereWhereAllThatIsWantedIs) {
  const Labels there = labels_here({{"region", "eu"}, {"tier", "gold"}});
  EXPECT_TRUE(has_labels(there, {}));
  EXPECT_TRUE(has_labels(there, {{"region", "eu"}}));
  EXPECT_TRUE(has_labels(there, {{"arch", there.at("arch")}, {"tier", "gold"}}));
  EXPECT_FALSE(has_labels(there, {{"region", "us"}}));
  EXPECT_FALSE(has_labels(there, {{"region", "eu"}, {"zone", "a"}}));
  // What somebody says of the architecture does not count.
  EXPECT_EQ(labels_here({{"arch", "other"}}), labels_here({}));
}

}  // namespace
}  // namespace belljar
