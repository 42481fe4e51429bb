// Energy and forces of a structure, by a potential that `geozoo export ... compiled=true` wrote.
//
//   TORCH=$(python -c "import torch; print(torch.__path__[0])")
//   g++ -std=c++20 -O2 potential.cpp -o potential -I$TORCH/include -L$TORCH/lib \
//       -Wl,-rpath,$TORCH/lib -ltorch -ltorch_cpu -lc10
//   ./potential fast.pt2 structure.txt
//
// The text file has the number of atoms, three lattice vectors (all zero: a molecule), and for
// every atom its atomic number and its position in angstrom. It prints meV and meV/angstrom.
#include <ATen/ATen.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <fstream>
#include <iostream>

// All pairs of atoms closer than the cutoff, each once, and the shifts of the senders' images.
std::pair<at::Tensor, at::Tensor> neighbors(at::Tensor pos, at::Tensor cell, double cutoff) {
  auto images = at::zeros({1, 3}, at::kDouble);
  if (cell.any().item<bool>()) {
    auto inverse = at::linalg_inv(cell), parts = pos.matmul(inverse);
    auto spread = std::get<0>(parts.max(0)) - std::get<0>(parts.min(0));
    auto reach = (cutoff * inverse.norm(2, {0}) + spread).floor();  // 1 / heights of the cell
    std::vector<at::Tensor> steps;
    for (int k = 0; k < 3; k++)
      steps.push_back(at::arange(-reach[k].item<double>(), reach[k].item<double>() + 1, at::kDouble));
    images = at::cartesian_prod(steps);
  }
  auto shift = images.matmul(cell), atoms = at::arange(pos.size(0));
  auto sender = pos.unsqueeze(1) + shift.view({-1, 1, 1, 3});  // [images, senders, receivers, 3]
  auto near = (sender - pos).square().sum(-1) < cutoff * cutoff;
  auto forward = images.matmul(at::tensor({1e12, 1e6, 1.0}, at::kDouble)) > 0;
  auto once = (atoms.unsqueeze(1) < atoms) | ((atoms.unsqueeze(1) == atoms) & forward.view({-1, 1, 1}));
  auto found = (near & once).nonzero();
  return {found.slice(1, 1).t().contiguous(), shift.index_select(0, found.select(1, 0))};
}

int main(int argc, char** argv) {
  if (argc != 3) return std::cerr << "usage: potential PROGRAM STRUCTURE\n", 2;
  std::ifstream file(argv[2]);
  int64_t count = 0;
  file >> count;
  auto cell = at::zeros({3, 3}, at::kDouble), pos = at::zeros({count, 3}, at::kDouble);
  auto numbers = at::zeros({count}, at::kLong);
  for (int k = 0; k < 9; k++) file >> cell.data_ptr<double>()[k];
  for (int64_t i = 0; i < count; i++) {
    file >> numbers.data_ptr<int64_t>()[i];
    for (int k = 0; k < 3; k++) file >> pos.data_ptr<double>()[3 * i + k];
  }
  if (!file) return std::cerr << "cannot read " << argv[2] << "\n", 1;
  torch::inductor::AOTIModelPackageLoader program(argv[1]);
  auto about = program.get_metadata();
  auto real = about.at("dtype") == "float64" ? at::kDouble : at::kFloat;
  auto [pairs, shift] = neighbors(pos, cell, std::stod(about.at("cutoff")));
  auto found = program.run({numbers, pos.to(real), pairs, shift.to(real)});  // and the virial
  std::cout.precision(17);
  std::cout << found[0].item<double>() << "\n";
  for (int64_t i = 0; i < 3 * count; i++)
    std::cout << found[1].flatten()[i].item<double>() << (i % 3 < 2 ? " " : "\n");
}
