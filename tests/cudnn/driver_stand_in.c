// Stands in for the GPU driver (libcuda.so.1) where there is none. While a plan is built, cuDNN's run-time-compiled
// engines load what they compiled through the driver; this one accepts every load and has no device, so that plans for
// a described device can be built and inspected. Nothing can run: cuInit reports CUDA_ERROR_NO_DEVICE.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

enum { success = 0, no_device = 100, not_supported = 801 };

static int thing;  // every handle points here
static int hand_out(void** handle) {
  *handle = &thing;
  return success;
}
static int refuse(void) { return not_supported; }

int cuInit(unsigned flags) {
  (void)flags;
  return no_device;
}
int cuDriverGetVersion(int* version) {
  *version = 13000;
  return success;
}
int cuDeviceGetCount(int* count) {
  *count = 0;
  return success;
}
int cuGetErrorString(int error, const char** text) {
  (void)error;
  *text = "no GPU: the driver's stand-in for tests";
  return success;
}
int cuGetErrorName(int error, const char** text) { return cuGetErrorString(error, text); }

// Loading code. More arguments may be passed than are named here: the callee does not look at them.
int cuLibraryLoadData(void** library) { return hand_out(library); }
int cuLibraryGetKernel(void** kernel) { return hand_out(kernel); }
int cuLibraryGetModule(void** module) { return hand_out(module); }
int cuKernelGetFunction(void** function) { return hand_out(function); }
int cuModuleLoadData(void** module) { return hand_out(module); }
int cuModuleLoadDataEx(void** module) { return hand_out(module); }
int cuModuleGetFunction(void** function) { return hand_out(function); }
int cuLibraryUnload(void) { return success; }
int cuModuleUnload(void) { return success; }
int cuKernelSetAttribute(void) { return success; }
int cuFuncSetAttribute(void) { return success; }

// Bound by name when cuDNN opens the driver, not called while a plan is built.
#define NOT_CALLED(name) \
  int name(void) { return not_supported; }
NOT_CALLED(cuCtxGetCurrent)
NOT_CALLED(cuCtxGetLimit)
NOT_CALLED(cuCtxPopCurrent)
NOT_CALLED(cuCtxPushCurrent)
NOT_CALLED(cuDeviceGet)
NOT_CALLED(cuKernelGetAttribute)
NOT_CALLED(cuLaunchCooperativeKernel)
NOT_CALLED(cuLaunchKernel)
NOT_CALLED(cuLaunchKernelEx)
NOT_CALLED(cuLibraryLoadFromFile)
NOT_CALLED(cuLinkAddData)
NOT_CALLED(cuLinkComplete)
NOT_CALLED(cuLinkCreate)
NOT_CALLED(cuLinkDestroy)
NOT_CALLED(cuOccupancyMaxPotentialClusterSize)
NOT_CALLED(cuStreamGetCtx)

// The CUDA runtime asks for everything else through this; what is not here refuses.
int cuGetProcAddress_v2(const char* symbol, void** function, int version, unsigned long long flags, int* status) {
  (void)version;
  (void)flags;
  void* self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  *function = self ? dlsym(self, symbol) : NULL;
  if (!*function) *function = (void*)refuse;
  if (status) *status = 0;
  return success;
}
int cuGetProcAddress(const char* symbol, void** function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}
