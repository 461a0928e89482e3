# Read by CMake at the beginning of llama-cpp-python's own file, which builds llama.cpp's common
# library too, always: that is for its programs, none of which is installed.
set(LLAMA_BUILD_COMMON OFF)
