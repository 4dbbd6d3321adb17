#pragma once

// The words of pictures as classes: for a network that is to say which words a picture was made for.

#include <string>
#include <vector>

#include <diffusion/dataset.h>

namespace diffusion {

// The images that have words, labeled with their first caption: class_names are the captions, in the order in
// which they first appear. Error(usage) for data without captions, and for more than 65,536 captions.
Dataset with_caption_classes(const Dataset& data);

// The same with the classes of a network. Error(usage) if the network does not know a caption; the message
// counts those and names one.
Dataset with_caption_classes(const Dataset& data, const std::vector<std::string>& class_names);

}  // namespace diffusion
