# Read by CMake inside llama.cpp's own project. Left out are the helpers of its command-line programs, more than half of all files:
# nothing of them is in the libraries that Python loads, and the package has no option for it.
set(LLAMA_BUILD_COMMON OFF)
