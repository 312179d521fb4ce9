#include "api/upload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belljar::api {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Request of(std::string type, std::string body) {
  Request request{.method = "POST", .path = "/v1/runs"};
  request.headers.emplace_back("content-type", std::move(type));
  request.body = std::move(body);
  return request;
}

TEST(Upload, JsonIsNone) {
  const auto upload = read_upload(of("application/json; charset=utf-8", "{}"));
  ASSERT_TRUE(upload);
  EXPECT_FALSE(*upload);
}

TEST(Upload, ABodyWithItsFactsInTheQuery) {
  Request request = of("application/zip", "PK");
  request.query = {{"language", "python"},  {"arg", "a"}, {"arg", "b"}, {"limit", "wall=2s"},
                   {"limit", "memory=64M"}, {"wait", "1"}};
  const auto upload = read_upload(request);
  ASSERT_TRUE(upload) << upload.error().message;
  ASSERT_TRUE(*upload);
  EXPECT_EQ((*upload)->archive, "PK");
  EXPECT_THAT((*upload)->request.submission.args, ElementsAre("a", "b"));
  EXPECT_EQ((*upload)->request.submission.limits.memory, 64 * kMiB);
  request.query.emplace_back("speed", "fast");
  EXPECT_FALSE(read_upload(request));
}

std::string form(std::string_view parts) {
  std::string text(parts);
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2)
    text.replace(at, 1, "\r\n");
  return text;
}

TEST(Upload, AForm) {
  const auto upload = read_upload(of("multipart/form-data; boundary=\"xx\"", form(R"(--xx
Content-Disposition: form-data; name="archive"; filename="a.zip"
Content-Type: application/zip

PK--x
--xx
content-disposition: form-data; name=run

{"language":"c","args":["1"]}
--xx--
)")));
  ASSERT_TRUE(upload) << upload.error().message;
  ASSERT_TRUE(*upload);
  EXPECT_EQ((*upload)->archive, "PK--x");
  EXPECT_EQ((*upload)->request.submission.language, "c");
  EXPECT_TRUE((*upload)->request.submission.files.empty());
}

TEST(Upload, AFormThatIsNotOneIsRefused) {
  const std::string_view bad[] = {
      "",
      "--xx",
      "--xx--",
      "--xx\nno header end",
      "--xx\nX: y\n\nbody\n--xx--",
      "--xx\nContent-Disposition: form-data; name=\"archive\"\n\nno end",
      "--xx\nContent-Disposition: form-data; name=\"archive\"\n\na\n--xx\nContent-Disposition: "
      "form-data; name=\"archive\"\n\nb\n--xx--",
      "--xx\nContent-Disposition: form-data; name=\"other\"\n\na\n--xx--",
      "--xx\nContent-Disposition: form-data; name=\"run\"\n\n{\"source\":\"\"}\n--xx--"};
  for (const std::string_view each : bad) {
    EXPECT_FALSE(read_upload(of("multipart/form-data; boundary=xx", form(each)))) << each;
  }
  EXPECT_FALSE(read_upload(of("multipart/form-data", "--\r\n")));
  EXPECT_FALSE(read_upload(of("multipart/form-data; boundary=" + std::string(71, 'x'), "")));
}

}  // namespace
}  // namespace belljar::api
