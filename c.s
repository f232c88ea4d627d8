.LBB0_8:
	vmovups	(%rdx,%r15,4), %zmm7
	vmovups	11968(%rdx,%r15,4), %zmm8
	vmovups	30464(%rdx,%r15,4), %zmm12
	vmulps	23936(%rdx,%r15,4), %zmm5, %zmm14
	vmovups	13056(%rdx,%r15,4), %zmm9
	vmulps	8704(%rdx,%r15,4), %zmm2, %zmm15
	vmovups	6528(%rdx,%r15,4), %zmm10
	vmovups	4352(%rdx,%r15,4), %zmm11
	vsubps	%zmm7, %zmm8, %zmm13
	vcmpltps	%zmm12, %zmm7, %k1
	vsubps	%zmm7, %zmm12, %zmm7
	vmulps	%zmm14, %zmm9, %zmm14
	vmovaps	%zmm1, %zmm10 {%k1}
	vcmpleps	%zmm8, %zmm12, %k1
	vmaxps	%zmm13, %zmm3, %zmm13
	vcmpltps	%zmm10, %zmm4, %k1 {%k1}
	vdivps	%zmm13, %zmm1, %zmm13
	vmaxps	%zmm14, %zmm6, %zmm14
	vmulps	%zmm7, %zmm13, %zmm7
	vfmadd213ps	%zmm14, %zmm13, %zmm15
	vmaxps	%zmm7, %zmm4, %zmm7
	vminps	%zmm7, %zmm1, %zmm7
	vmovaps	%zmm7, %zmm13
	vfmsub213ps	%zmm7, %zmm7, %zmm13
	vfnmadd213ps	%zmm7, %zmm15, %zmm13
	vmaxps	%zmm13, %zmm4, %zmm7
	vminps	%zmm7, %zmm1, %zmm7
	vsubps	%zmm1, %zmm7, %zmm7
	vfmadd213ps	%zmm2, %zmm9, %zmm7
	vmaxps	%zmm7, %zmm11, %zmm7
	vsubps	%zmm7, %zmm2, %zmm9
	vcmpltps	%zmm2, %zmm7, %k1 {%k1}
	vmovaps	%zmm12, %zmm8 {%k1}
	vmovups	%zmm8, (%rdx,%r15,4)
	vmovaps	%zmm4, %zmm10 {%k1}
	vmovups	%zmm9, 5440(%rdx,%r15,4) {%k1}
	vaddps	31552(%rdx,%r15,4), %zmm7, %zmm11 {%k1}
	vsubps	%zmm2, %zmm11, %zmm8
	vmovups	%zmm8, 4352(%rdx,%r15,4)
	vmovdqu8	(%rbx), %xmm8 {%k1} {z}
	vmovups	%zmm10, 6528(%rdx,%r15,4)
	vmovups	%zmm7, 21760(%rdx,%r15,4)
	vmovdqu	%xmm8, (%rcx,%r15)
	addq	$16, %r15
	cmpq	%r15, %rsi
	jne	.LBB0_8
	cmpq	%rsi, %rax
	je	.LBB0_16
	testb	$12, %al
	je	.LBB0_14