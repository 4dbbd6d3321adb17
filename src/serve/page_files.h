#pragma once

#include <span>
#include <string_view>

namespace diffusion::serve {

// A file of src/serve/page, which are compiled into the program (cmake/EmbedFiles.cmake).
struct PageFile {
  std::string_view path;  // "/" for index.html, "/page.css"
  std::string_view content_type, content;
};

std::span<const PageFile> page_files();
const PageFile* find_page_file(std::string_view path);  // null: there is none

}  // namespace diffusion::serve
