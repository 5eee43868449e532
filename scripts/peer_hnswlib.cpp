// hnswlib with native filters, for scripts/bench_peers.py: a filter is a C++ functor over row ranks.
//
//   peer_hnswlib build BASE DIM M EFC INDEX          one thread; prints processor seconds
//   peer_hnswlib search INDEX DIM QUERIES BOUNDS END K EF [ASOF]
//
// BOUNDS holds two i64 a query: first and end rank of a window, or with ASOF the rank twice.
// END holds for each row the rank at which its entity's next row begins. Prints for each query a line
// "nanoseconds row row ...", from the second of two passes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "hnswlib/hnswlib.h"

template <typename T>
static std::vector<T> read_all(const char* path) {
  std::ifstream f(path, std::ios::binary | std::ios::ate);
  if (!f) {
    std::fprintf(stderr, "cannot read %s\n", path);
    std::exit(1);
  }
  std::vector<T> out(static_cast<size_t>(f.tellg()) / sizeof(T));
  f.seekg(0);
  f.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(T)));
  return out;
}

static int64_t cpu_ns() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

struct Window : hnswlib::BaseFilterFunctor {
  int64_t from = 0, to = 0;
  bool operator()(hnswlib::labeltype row) override {
    return static_cast<int64_t>(row) >= from && static_cast<int64_t>(row) < to;
  }
};

struct AsOf : hnswlib::BaseFilterFunctor {
  const std::vector<int64_t>* end = nullptr;
  int64_t rank = 0;
  bool operator()(hnswlib::labeltype row) override {
    return static_cast<int64_t>(row) < rank && (*end)[row] >= rank;
  }
};

static int build(char** a) {
  const size_t dim = std::stoul(a[1]);
  const auto x = read_all<float>(a[0]);
  hnswlib::InnerProductSpace space(dim);
  hnswlib::HierarchicalNSW<float> h(&space, x.size() / dim, std::stoul(a[2]), std::stoul(a[3]), 1);
  const int64_t started = cpu_ns();
  for (size_t row = 0; row < x.size() / dim; row++) h.addPoint(x.data() + row * dim, row);
  std::printf("%.3f\n", static_cast<double>(cpu_ns() - started) / 1e9);
  h.saveIndex(a[4]);
  return 0;
}

static int search(int n, char** a) {
  const size_t dim = std::stoul(a[1]), k = std::stoul(a[5]);
  hnswlib::InnerProductSpace space(dim);
  hnswlib::HierarchicalNSW<float> h(&space, a[0]);
  const auto q = read_all<float>(a[2]);
  const auto bounds = read_all<int64_t>(a[3]);
  const auto end = read_all<int64_t>(a[4]);
  const bool as_of = n > 7;
  h.setEf(std::stoul(a[6]));
  Window window;
  AsOf state;
  state.end = &end;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < q.size() / dim; i++) {
      window.from = bounds[2 * i], window.to = bounds[2 * i + 1], state.rank = bounds[2 * i];
      const bool all = !as_of && window.from == 0 && window.to >= static_cast<int64_t>(end.size());
      hnswlib::BaseFilterFunctor* filter = as_of ? static_cast<hnswlib::BaseFilterFunctor*>(&state) : &window;
      const int64_t started = cpu_ns();
      auto found = h.searchKnn(q.data() + i * dim, k, all ? nullptr : filter);
      const int64_t ns = cpu_ns() - started;
      if (pass == 0) continue;
      std::printf("%lld", static_cast<long long>(ns));
      for (; !found.empty(); found.pop()) std::printf(" %zu", found.top().second);
      std::printf("\n");
    }
  }
  return 0;
}

int main(int n, char** a) {
  if (n > 6 && std::string(a[1]) == "build") return build(a + 2);
  if (n > 8 && std::string(a[1]) == "search") return search(n - 2, a + 2);
  std::fprintf(stderr, "peer_hnswlib build|search ...: see the comment at the top of the source\n");
  return 2;
}
